;; Has its manifest where only a part of it would be found.
(component (core module (@custom "windlass:manifest" "{}")))
