// SPDX-License-Identifier: Apache-2.0
'use strict';
// Listens on 127.0.0.1, on --port=N or a free port, and says which.

exports.serve = (server) => {
  const flag = process.argv.find((word) => word.startsWith('--port='));
  const port = flag ? Number(flag.slice('--port='.length)) : 0;
  server.listen({ host: '127.0.0.1', port, backlog: 4096 }, () => {
    console.log(`port ${server.address().port}`);
  });
};
