#include "control_dbus.hpp"
