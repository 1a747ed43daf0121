;; `now` exists, and returns no plain number.
(component (import "windlass:plugin/clock@0.1.0" (instance (export "now" (func (result u64))))))
