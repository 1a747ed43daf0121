//! Random passwords that meet a policy.

use super::{PasswordPolicy, Secret, SecretError};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

/// Longest generated password, in characters; products cut or refuse longer ones.
const MOST: usize = 128;

/// Makes a password of `length` characters, each equally likely among all passwords of that length that meet
/// the policy. Errors: a length below the policy's or above 128; a failing random source.
pub fn generate(policy: &PasswordPolicy, length: usize) -> Result<Secret, SecretError> {
    let least = policy.shortest();
    if !(least..=MOST).contains(&length) {
        return Err(SecretError::Length { length, least, most: MOST });
    }
    let alphabet = policy.alphabet();
    // Whole passwords are drawn until one meets the policy (about every second of 8 characters does):
    // repairing one instead would make some passwords likelier than others.
    loop {
        let candidate = Secret::new(draw(&alphabet, length)?);
        if policy.broken_rules(&candidate).is_empty() {
            return Ok(candidate);
        }
    }
}

fn draw(alphabet: &[u8], length: usize) -> Result<Vec<u8>, SecretError> {
    // Bytes from here on are thrown away: a plain remainder would favour the first characters.
    let fair = 256 - 256 % alphabet.len();
    let mut drawn = Vec::with_capacity(length);
    let mut random = Zeroizing::new([0u8; 64]);
    while drawn.len() < length {
        rand::fill(random.as_mut())
            .map_err(|_| SecretError::Random { what: "a password was being generated" })?;
        let usable = random.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        drawn.extend(usable.map(|byte| alphabet[byte % alphabet.len()]).take(length - drawn.len()));
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_have_the_length_asked_and_meet_their_policy() {
        for policy in [PasswordPolicy::mrs_2(), PasswordPolicy::mrs_3()] {
            for length in [8, 9, 16, 128] {
                let password = generate(&policy, length).unwrap();
                assert_eq!(password.expose().len(), length);
                assert_eq!(policy.broken_rules(&password), Vec::<String>::new());
            }
        }
    }

    #[test]
    fn lengths_outside_the_policy_are_refused() {
        for length in [0, 7, 129, usize::MAX] {
            assert!(generate(&PasswordPolicy::mrs_2(), length).is_err(), "{length}");
        }
    }

    #[test]
    fn every_character_is_drawn_about_equally_often() {
        let alphabet = PasswordPolicy::mrs_2().alphabet();
        let drawn = draw(&alphabet, 93 * 1000).unwrap();
        for character in &alphabet {
            let times = drawn.iter().filter(|byte| *byte == character).count();
            // A thousand expected; eight standard deviations either way.
            assert!((750..1250).contains(&times), "{:?} {times} times", *character as char);
        }
    }
}
