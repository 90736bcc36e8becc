// SPDX-License-Identifier: Apache-2.0
/* track.h: the leak report of core/spi/track.h from within: who asks for it. */
#ifndef CORE_TRACK_H
#define CORE_TRACK_H

#include <soon/thread.h>

#include "core/spi/track.h"

/* Reports what was opened on the core and is still open, and forgets it. Its run is over. */
void soon__track_report(soon_core *core);

/* In the child of a fork: nothing of the parent's is tracked there. */
void soon__track_forget(void);

#endif
