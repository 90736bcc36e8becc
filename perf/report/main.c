// SPDX-License-Identifier: Apache-2.0
/* soon-report FILE...: the command by itself. */
#include "report.h"

int main(int argc, char **argv)
{
	return report_main(argc, argv);
}
