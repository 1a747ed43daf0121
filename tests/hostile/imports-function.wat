(component (import "system" (func (param "command" string))))
