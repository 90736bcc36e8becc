// SPDX-License-Identifier: Apache-2.0
'use strict';
// HTTP by Node's own server. Idle connections stay, as in nginx.

const http = require('http');
const { serve } = require('./service');

const body = 'Hello, World!';
const headers = { 'Content-Type': 'text/plain', 'Content-Length': body.length };

serve(http.createServer({ noDelay: true, keepAliveTimeout: 3600e3 }, (request, response) => {
  if (request.method === 'GET' && request.url === '/') {
    response.writeHead(200, headers);
    response.end(body);
  } else {
    response.writeHead(404);
    response.end();
  }
}));
