;; Looks harmless, and has a second manifest behind the first.
;;+ manifest
