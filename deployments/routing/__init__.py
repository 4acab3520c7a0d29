"""Which version answers a request: functions of values, without Ray and without HTTP."""
