/**
 * What every answer carries, so that clients in browsers may talk to this server.
 * https://spec.matrix.org/v1.19/client-server-api/#web-browser-clients
 * A flat list of names and values: the form `ServerResponse.writeHead` takes without building an object.
 */
export const CORS_HEADERS: readonly string[] = [
  'access-control-allow-origin',
  '*',
  'access-control-allow-methods',
  'GET, POST, PUT, DELETE, OPTIONS',
  'access-control-allow-headers',
  'X-Requested-With, Content-Type, Authorization',
]

/** How long (seconds) a browser may remember the answer to its preflight; browsers cap it themselves. */
export const PREFLIGHT_HEADERS: readonly string[] = [...CORS_HEADERS, 'access-control-max-age', '86400']
