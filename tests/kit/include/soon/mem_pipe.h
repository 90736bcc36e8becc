// SPDX-License-Identifier: Apache-2.0
#ifndef SOON_MEM_PIPE_H
#define SOON_MEM_PIPE_H
#endif
