//! What the operator is told and asked, in the words of the product's documentation where it has them.

/// The documentation's own account of the impact.
pub const IMPACT: &str = "After a cluster key is updated, a new key is generated randomly in the cluster. This key is used to encrypt \
     and decrypt the newly stored data. The old key is not deleted, and it is used to decrypt the old encrypted \
     data. When the key is updated in a cluster, the cluster must be stopped and cannot be accessed.";

/// The question of the product's script.
pub const QUESTION: &str = "The root key update is a critical operation. Do you want to continue?";
