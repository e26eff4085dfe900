import assert from 'node:assert/strict'
import { request as httpRequest, Agent } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import type { Homeserver } from '../homeserver.ts'
import { RateLimiter, type RateLimits } from '../limits/limiter.ts'
import { NO_LIMITS } from '../limits/test-limits.ts'
import { createLogger, silentLogger } from '../ops/log.ts'
import { createTrustedProxies } from './client-ip.ts'
import { dispatch } from './dispatch.ts'
import { defineEndpoint, HttpResponse, RawJson, type AnyEndpoint, type Session } from './endpoint.ts'
import { startListeners, type Listeners } from './listen.ts'
import { ServerStopping } from './request-context.ts'
import { Router, type RouterDeps } from './router.ts'
import { jsonObject } from './schemas.ts'

const ALICE: Session = {
  userId: '@alice:test' as UserId,
  deviceId: 'DEV' as DeviceId,
  isAdmin: false,
  isGuest: false,
  appserviceId: undefined,
  tokenNid: 1,
}

const text = Type.String()
const room = Type.Object({ roomId: text })
let waitStarted: (() => void) | undefined
let streamDestroyed: (() => void) | undefined

const ENDPOINTS: readonly AnyEndpoint[] = [
  defineEndpoint({
    operation: 'echo',
    method: 'PUT',
    path: '/rooms/:roomId/send/:type/:txnId',
    also: ['/r0/rooms/:roomId/send/:type/:txnId'],
    auth: 'user',
    params: Type.Object({ roomId: text, type: text, txnId: text }),
    body: jsonObject,
    run: async (_hs, { params, body, session }) => ({ ...params, body, sender: session.userId }),
  }),
  defineEndpoint({
    operation: 'typed',
    method: 'POST',
    path: '/typed/:version',
    auth: 'optional',
    params: Type.Object({ version: Type.Integer() }),
    query: Type.Object({
      limit: Type.Optional(Type.Integer({ minimum: 1 })),
      server: Type.Optional(Type.Array(text)),
      full: Type.Optional(Type.Boolean()),
      from: Type.Optional(text),
    }),
    body: Type.Object({
      name: Type.Optional(text),
      nested: Type.Optional(Type.Object({ users: Type.Array(Type.Object({ id: text })) })),
    }),
    run: async (_hs, { params, query, body, session }) => ({
      version: params.version,
      query: query as Record<string, never>,
      body: body as Record<string, never>,
      sender: session?.userId ?? null,
    }),
  }),
  defineEndpoint({
    operation: 'raw',
    method: 'GET',
    path: '/raw',
    auth: 'none',
    run: async () => new RawJson('{"a":"ü"}'),
  }),
  defineEndpoint({
    operation: 'fault',
    method: 'GET',
    path: '/fault',
    auth: 'none',
    run: async () => {
      throw new TypeError('secret detail')
    },
  }),
  defineEndpoint({
    operation: 'limited',
    method: 'GET',
    path: '/limited',
    auth: 'user',
    rateLimit: 'join',
    run: async () => ({}),
  }),
  defineEndpoint({
    operation: 'adminOnly',
    method: 'GET',
    path: '/admin/:roomId',
    auth: 'admin',
    params: room,
    run: async () => ({}),
  }),
  defineEndpoint({
    operation: 'wait',
    method: 'GET',
    path: '/wait',
    auth: 'none',
    run: (_hs, { signal }) =>
      new Promise((resolve) => {
        waitStarted?.()
        signal.addEventListener('abort', () =>
          resolve({ stopping: signal.reason instanceof ServerStopping, reason: String(signal.reason?.name) }),
        )
      }),
  }),
  defineEndpoint({
    operation: 'upload',
    method: 'POST',
    path: '/upload',
    auth: 'user',
    body: 'stream',
    run: async (_hs, { raw }) => {
      let size = 0
      for await (const chunk of raw) size += (chunk as Buffer).length
      return { size }
    },
  }),
  defineEndpoint({
    operation: 'download',
    method: 'GET',
    path: '/download',
    auth: 'none',
    run: async () => {
      const body = Readable.from(
        (function* () {
          for (let i = 0; i < 1000; i += 1) yield Buffer.alloc(100_000)
        })(),
      )
      body.on('close', () => streamDestroyed?.())
      return new HttpResponse({ status: 200, body })
    },
  }),
]

const LIMITS: RateLimits = {
  ...NO_LIMITS,
  join: { perSecond: 0.001, burst: 2 },
  application_service: { perSecond: 0.001, burst: 4 },
}

function findSession(token: string): Session | MatrixError | undefined {
  if (token === 'alice') return ALICE
  if (token === 'bob') return { ...ALICE, userId: '@bob:test' as UserId }
  if (token === 'bridge') return { ...ALICE, appserviceId: 'irc' }
  if (token === 'ghost')
    return { ...ALICE, userId: '@ghost:test' as UserId, appserviceId: 'irc', isRateLimited: true }
  return token === 'locked' ? new MatrixError('M_USER_LOCKED', 'locked') : undefined
}

function deps(more: Partial<RouterDeps> = {}): RouterDeps {
  return {
    hs: {} as Homeserver,
    endpoints: ENDPOINTS,
    findSession,
    limiter: new RateLimiter(LIMITS, systemClock),
    proxies: createTrustedProxies([]),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    ...more,
  }
}

const agent = new Agent({ keepAlive: true })
let listeners: Listeners
let router: Router
let port = 0

before(async () => {
  router = new Router(deps())
  listeners = await startListeners({
    addresses: [{ host: '127.0.0.1', port: 0 }],
    handle: (request, response) => router.handle(request, response),
    clock: systemClock,
  })
  port = Number(new URL(listeners.urls[0]!).port)
})
after(async () => {
  agent.destroy()
  await listeners.stop()
})

interface Reply {
  status: number
  headers: Record<string, unknown>
  body: string
  json: () => Record<string, unknown>
}

function send(method: string, path: string, body?: string | Buffer, headers = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('end', () => {
        const whole = Buffer.concat(chunks).toString()
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: whole,
          json: () => JSON.parse(whole) as Record<string, unknown>,
        })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const asAlice = { authorization: 'Bearer alice' }
const SEND = '/rooms/!r:test/send/m.room.message/t1'

async function refused(reply: Promise<Reply>, status: number, errcode: string): Promise<string> {
  const got = await reply
  assert.equal(`${got.status} ${String(got.json()['errcode'])}`, `${status} ${errcode}`, got.body)
  assert.equal(got.headers['access-control-allow-origin'], '*')
  return String(got.json()['error'])
}

/** Writes bytes as they are and returns everything that came back until the server closed or `until` was seen. */
async function talk(bytes: (socket: Socket) => void, until?: RegExp): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let got = ''
  socket.setEncoding('latin1')
  await once(socket, 'connect')
  bytes(socket)
  for await (const chunk of socket) {
    got += chunk as string
    if (until?.test(got) === true) break
  }
  socket.destroy()
  return got
}

describe('the request path', () => {
  it('hands a handler decoded parameters, the body and who asks', async () => {
    const reply = await send('PUT', '/rooms/!a%2Fb%3Ac/send/m%2Ex/t%25201', '{"k":1}', asAlice)
    const expected = { roomId: '!a/b:c', type: 'm.x', txnId: 't%201', body: { k: 1 }, sender: '@alice:test' }
    assert.deepEqual(reply.json(), expected)
    assert.equal(reply.headers['content-type'], 'application/json')
    assert.equal(reply.headers['access-control-allow-origin'], '*')
  })

  it('serves older prefixes and the token in the query', async () => {
    const reply = await send('PUT', '/r0/rooms/a/send/b/c?access_token=alice', '{}')
    assert.equal(reply.status, 200)
  })

  it('converts query and path parameters to what their schemas say', async () => {
    const reply = await send('POST', '/typed/7?limit=5&server=a&server=b%20c&full=true&other=1', '')
    const query = { limit: 5, server: ['a', 'b c'], full: true }
    assert.deepEqual(reply.json(), { version: 7, query, body: {}, sender: null })
  })

  it('writes raw JSON as it stands, with its length in bytes', async () => {
    const reply = await send('GET', '/raw')
    assert.equal(reply.body, '{"a":"ü"}')
    assert.equal(reply.headers['content-length'], '10')
  })

  it('answers HEAD like GET without a body', async () => {
    const reply = await send('HEAD', '/raw')
    assert.deepEqual([reply.status, reply.body, reply.headers['content-length']], [200, '', '10'])
  })

  it('answers OPTIONS on any path without running anything', async () => {
    const reply = await send('OPTIONS', '/rooms/!x/send/a/b')
    assert.equal(reply.status, 204)
    assert.match(String(reply.headers['access-control-allow-methods']), /PUT/)
    assert.match(String(reply.headers['access-control-allow-headers']), /Authorization/)
  })
})

describe('refusals', () => {
  it('tells an unknown path from a wrong method', async () => {
    await refused(send('GET', '/nowhere'), 404, 'M_UNRECOGNIZED')
    await refused(send('PATCH', '/raw'), 405, 'M_UNRECOGNIZED')
    assert.match(await refused(send('GET', SEND), 405, 'M_UNRECOGNIZED'), /PUT/)
  })

  it('asks for a token, and refuses one it does not know', async () => {
    await refused(send('PUT', SEND, '{}'), 401, 'M_MISSING_TOKEN')
    await refused(send('PUT', SEND, '{}', { authorization: 'Basic x' }), 401, 'M_MISSING_TOKEN')
    await refused(send('PUT', SEND, '{}', { authorization: 'Bearer zzz' }), 401, 'M_UNKNOWN_TOKEN')
    await refused(send('PUT', SEND, '{}', { authorization: 'Bearer locked' }), 401, 'M_USER_LOCKED')
    await refused(send('POST', '/typed/1', '{}', { authorization: 'Bearer zzz' }), 401, 'M_UNKNOWN_TOKEN')
    await refused(send('GET', '/admin/x', undefined, asAlice), 403, 'M_FORBIDDEN')
  })

  it('names the field that is wrong', async () => {
    const wrong = '{"nested":{"users":[{"id":"a"},{"id":3}]}}'
    assert.match(
      await refused(send('POST', '/typed/1', wrong), 400, 'M_BAD_JSON'),
      /"nested\.users\[1\]\.id"/,
    )
    assert.match(
      await refused(send('POST', '/typed/1', '{"nested":{}}'), 400, 'M_BAD_JSON'),
      /nested\.users.*missing/,
    )
    assert.match(await refused(send('POST', '/typed/1?limit=x', '{}'), 400, 'M_INVALID_PARAM'), /limit/)
    assert.match(await refused(send('POST', '/typed/x', '{}'), 400, 'M_INVALID_PARAM'), /version/)
    await refused(send('POST', '/typed/1', '[]'), 400, 'M_BAD_JSON')
  })

  it('refuses what is not JSON in UTF-8', async () => {
    await refused(send('PUT', SEND, '{', asAlice), 400, 'M_NOT_JSON')
    await refused(send('PUT', SEND, '', asAlice), 400, 'M_NOT_JSON')
    const broken = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])
    await refused(send('PUT', SEND, broken, asAlice), 400, 'M_NOT_JSON')
    await refused(send('PUT', SEND, String.raw`{"a":"\ud800"}`, asAlice), 400, 'M_BAD_JSON')
  })

  it('refuses JSON nested too deep, however deep', async () => {
    await refused(
      send('PUT', SEND, `{"a":${'['.repeat(60_000)}${']'.repeat(60_000)}}`, asAlice),
      400,
      'M_BAD_JSON',
    )
  })

  it('refuses a parameter given twice and broken percent-encoding', async () => {
    await refused(send('POST', '/typed/1?limit=1&limit=2', '{}'), 400, 'M_INVALID_PARAM')
    await refused(send('POST', '/typed/1?from=%ff', '{}'), 400, 'M_INVALID_PARAM')
    await refused(send('PUT', '/rooms/%ff/send/a/b', '{}', asAlice), 400, 'M_INVALID_PARAM')
    await refused(send('PUT', '/rooms/%zz/send/a/b', '{}', asAlice), 400, 'M_INVALID_PARAM')
  })

  it('reads a body of 10 MB to its end, refuses it, and goes on with the connection', async () => {
    const big = Buffer.alloc(10 * 1024 * 1024, 0x20)
    await refused(send('PUT', SEND, big, asAlice), 413, 'M_TOO_LARGE')
    await refused(send('PUT', SEND, big, { ...asAlice, 'transfer-encoding': 'chunked' }), 413, 'M_TOO_LARGE')
    await refused(send('PUT', SEND, big), 401, 'M_MISSING_TOKEN')
    assert.equal((await send('PUT', SEND, '{}', asAlice)).status, 200)
  })

  it('shows an incident id for a fault of its own, logs the cause under it and tells nothing else', async () => {
    const lines: string[] = []
    const log = createLogger({
      level: 'info',
      format: 'json',
      clock: systemClock,
      write: (line) => lines.push(line),
    })
    const reply = await dispatch(new Router(deps({ log })), { method: 'GET', url: '/fault' })
    assert.equal(reply.status, 500)
    const { errcode, error } = reply.json() as { errcode: string; error: string }
    assert.equal(errcode, 'M_UNKNOWN')
    assert.doesNotMatch(error, /secret/)
    const line = JSON.parse(lines[0]!) as { incident: string; error: { message: string; stack: string } }
    assert.ok(error.includes(line.incident))
    assert.equal(line.error.message, 'secret detail')
  })

  it('limits a person by the action, an appservice by all it does, and says when to come back', async () => {
    const limited = new Router(deps())
    const get = (token: string): ReturnType<typeof dispatch> =>
      dispatch(limited, { method: 'GET', url: '/limited', token })
    const statuses: [string, number][] = []
    for (const token of [
      'alice',
      'alice',
      'alice',
      'bob',
      'bridge',
      'ghost',
      'ghost',
      'ghost',
      'bridge',
      'bridge',
    ]) {
      statuses.push([token, (await get(token)).status])
    }
    assert.deepEqual(statuses, [
      ['alice', 200],
      ['alice', 200],
      ['alice', 429],
      ['bob', 200],
      ['bridge', 200],
      // Its registration asks for limits of whom it acts as; what is refused does not count for the service.
      ['ghost', 200],
      ['ghost', 200],
      ['ghost', 429],
      ['bridge', 200],
      ['bridge', 429],
    ])
    const reply = await get('alice')
    assert.equal(reply.json()['errcode'], 'M_LIMIT_EXCEEDED')
    assert.ok(Number(reply.json()['retry_after_ms']) > 900_000)
    assert.ok(Number(reply.headers['retry-after']) > 900)
  })
})

describe('connections', () => {
  it('answers pipelined requests in their order on one connection', async () => {
    const one = 'GET /raw HTTP/1.1\r\nhost: x\r\n\r\n'
    const bad = 'GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n'
    const got = await talk((socket) =>
      socket.write(one + bad + one.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')),
    )
    assert.deepEqual(got.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200'])
  })

  it('answers what is not HTTP, or has endless headers, and closes', async () => {
    assert.match(await talk((socket) => socket.write('HELO irc\r\n\r\n')), /^HTTP\/1\.1 400 .*M_UNKNOWN/s)
    const long = `GET /raw HTTP/1.1\r\nx: ${'a'.repeat(70_000)}\r\n\r\n`
    assert.match(await talk((socket) => socket.write(long)), /^HTTP\/1\.1 431 .*M_TOO_LARGE/s)
  })

  it('asks for a body announced with Expect only after the request was let in', async () => {
    const head = 'PUT /rooms/a/send/b/c HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n'
    const refusedAt = await talk((socket) => socket.write(`${head}\r\n`), /\r\n\r\n\{/)
    assert.match(refusedAt, /^HTTP\/1\.1 401 /)
    let sent = false
    const got = await talk((socket) => {
      socket.write(`${head}authorization: Bearer alice\r\nconnection: close\r\n\r\n`)
      socket.on('data', () => {
        if (!sent) socket.write('{}')
        sent = true
      })
    })
    assert.match(got, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
  })

  it('keeps one connection for many requests without piling listeners on it', async () => {
    const warnings: unknown[] = []
    const onWarning = (warning: unknown): void => void warnings.push(warning)
    process.on('warning', onWarning)
    for (let i = 0; i < 30; i += 1) assert.equal((await send('GET', '/raw')).status, 200)
    process.off('warning', onWarning)
    assert.deepEqual(warnings, [])
  })

  it('tells a waiting handler that its client went away', async () => {
    const own = new Router(deps())
    const gone = new AbortController()
    const started = new Promise<void>((resolve) => (waitStarted = resolve))
    const reply = dispatch(own, { method: 'GET', url: '/wait', signal: gone.signal })
    await started
    gone.abort()
    assert.deepEqual((await reply).json(), { stopping: false, reason: 'ClientGone' })
    assert.equal(own.waiting.size, 0)
  })

  it('streams a body in and ends a stream out when its reader goes away', async () => {
    const big = Buffer.alloc(3_000_000, 1)
    assert.deepEqual((await send('POST', '/upload', big, asAlice)).json(), { size: 3_000_000 })
    const destroyed = new Promise<void>((resolve) => (streamDestroyed = resolve))
    await talk((socket) => socket.write('GET /download HTTP/1.1\r\nhost: x\r\n\r\n'), /HTTP\/1\.1 200/)
    await destroyed
  })

  it('stops by answering long polls empty, finishing what runs and closing every connection', async () => {
    const own = new Router(deps())
    const ownListeners = await startListeners({
      addresses: [{ host: '127.0.0.1', port: 0 }],
      handle: (request, response) => own.handle(request, response),
      clock: systemClock,
    })
    const base = ownListeners.urls[0]!
    const started = new Promise<void>((resolve) => (waitStarted = resolve))
    const waiting = fetch(`${base}/wait`)
    const dripping = connect(Number(new URL(base).port), '127.0.0.1')
    dripping.write('GET /raw HT')
    dripping.on('error', () => undefined)
    await started
    own.stop()
    await ownListeners.stop()
    const reply = await waiting
    assert.deepEqual(await reply.json(), { stopping: true, reason: 'ServerStopping' })
    assert.equal(reply.headers.get('connection'), 'close')
    await assert.rejects(fetch(`${base}/raw`))
  })

  it('gives up on headers that drip in, and keeps serving others meanwhile', async () => {
    const own = await startListeners({
      addresses: [{ host: '127.0.0.1', port: 0 }],
      handle: (request, response) => router.handle(request, response),
      clock: systemClock,
      timeouts: { headersMs: 100, requestMs: 100, sweepMs: 20, keepAliveMs: 1000 },
    })
    const url = new URL(own.urls[0]!)
    const socket = connect(Number(url.port), '127.0.0.1')
    socket.write('GET /raw HTTP/1.1\r\nx-drip: ')
    assert.equal((await fetch(new URL('/raw', url))).status, 200)
    let got = ''
    for await (const chunk of socket) got += String(chunk)
    assert.match(got, /^HTTP\/1\.1 408 /)
    await own.stop()
  })

  it('names the address that cannot be had', async () => {
    const taken = startListeners({
      addresses: [{ host: '127.0.0.1', port }],
      handle: async () => undefined,
      clock: systemClock,
    })
    await assert.rejects(taken, /127\.0\.0\.1:\d+: another program listens there/)
  })
})

it('refuses two endpoints for one path', () => {
  assert.throws(() => new Router(deps({ endpoints: [ENDPOINTS[2]!, ENDPOINTS[2]!] })))
})

it('passes the refusals of handlers on', async () => {
  const endpoint = defineEndpoint({
    operation: 'no',
    method: 'GET',
    path: '/no',
    auth: 'none',
    run: async () => {
      throw forbidden('not you')
    },
  })
  const reply = await dispatch(new Router(deps({ endpoints: [endpoint] })), { method: 'GET', url: '/no' })
  assert.deepEqual([reply.status, reply.json()], [403, { errcode: 'M_FORBIDDEN', error: 'not you' }])
})
