;; Wants a gigabyte before it runs at all.
(memory (export "memory") 16384)
