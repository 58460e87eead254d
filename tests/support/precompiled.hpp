#pragma once
/// The precompiled header of the tests: what nearly all of them include.
#include "base/bytes.hpp"
#include "base/result.hpp"

#include <boost/test/test_tools.hpp>
#include <boost/test/unit_test_suite.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>
