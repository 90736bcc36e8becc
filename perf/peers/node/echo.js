// SPDX-License-Identifier: Apache-2.0
'use strict';
// The echo server in Node. A listener for data costs less than pipe(); it keeps to what pipe() does
// where the socket is full.

const net = require('net');
const { serve } = require('./service');

serve(net.createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => {
    if (!socket.write(chunk)) {
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
  });
  socket.on('error', () => socket.destroy());
}));
