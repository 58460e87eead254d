#define BOOST_TEST_MODULE netd_component
#include <boost/test/unit_test.hpp>
