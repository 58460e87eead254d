#pragma once
/// The precompiled header of the tests that are full of coroutines.
#include "io/asio.hpp"
#include "support/precompiled.hpp"
