(component (import "windlass:plugin/clock@0.1.0" (instance (export "rewind" (func)))))
