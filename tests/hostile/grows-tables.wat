;; Takes table after table entry: memory of the host's, not of the guest's.
(table $table 1 funcref)
(func $apply (param i32 i32) (result i32)
  (loop $more
    (br_if $more
      (i32.ne (table.grow $table (ref.null func) (i32.const 10000)) (i32.const -1))))
  (unreachable))
