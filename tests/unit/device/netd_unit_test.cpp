#define BOOST_TEST_MODULE netd
#include <boost/test/unit_test.hpp>
