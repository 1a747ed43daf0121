(component (import "windlass:plugin/telepathy@0.1.0" (instance)))
