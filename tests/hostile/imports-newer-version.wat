(component (import "windlass:plugin/nodes@0.2.0" (instance)))
