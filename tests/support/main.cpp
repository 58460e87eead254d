// main() of every test whose own the precompiled header swallows (cmake/tests.cmake).
#define BOOST_TEST_MODULE rdv
#include <boost/test/unit_test.hpp>
