;; Has what a hook exports.
;;+ procedure
