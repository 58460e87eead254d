// Nothing: a target that owns a precompiled header needs a file that uses it (cmake/tests.cmake).
