import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { startDnsServer, type DnsServer } from '@causeway/testkit/dns-server.ts'
import { countingRandom } from '@causeway/testkit/irc/manual-clock.ts'
import { createAddressGuard } from '../../outgoing/address-guard.ts'
import { createOutgoing, type Outgoing } from '../../outgoing/outgoing.ts'
import { createSystemResolver } from '../../outgoing/system-resolver.ts'
import { errorLifetime, lifetimeOf } from './cache-lifetime.ts'
import { createDiscovery } from './create-discovery.ts'
import { DiscoveryError, type Discovery } from './discovery.ts'
import { orderSrv } from './srv-order.ts'
import { parseWellKnown } from './well-known.ts'

const authority = makeAuthority()
const HOUR_MS = 3_600_000

let dns: DnsServer
let web: Server
let outgoing: Outgoing
let answer: (request: IncomingMessage, response: ServerResponse) => void
/** Hosts that were asked for their well-known document. */
let asked: string[] = []
let shiftMs = 0
const clock: Clock = {
  ...systemClock,
  now: () => systemClock.now() + shiftMs,
  monotonic: () => systemClock.monotonic() + shiftMs,
}

before(async () => {
  dns = await startDnsServer()
  const { key, certificate: cert } = authority.issue(
    'w1.test',
    'w2.test',
    's1.test',
    'b1.test',
    'c1.test',
    'c2.test',
    'c3.test',
    'c4.test',
  )
  web = createServer({ key, cert }, (request, response) => {
    asked.push(request.headers.host!)
    answer(request, response)
  })
  web.listen(0, '127.0.0.1')
  await once(web, 'listening')
  const { port } = web.address() as AddressInfo
  const real = createOutgoing({
    clock,
    resolver: createSystemResolver(clock, { servers: [dns.address], hostsFile: '/nonexistent' }),
    guard: createAddressGuard(['127.0.0.1']),
    authorities: [authority.certificate],
  })
  // No test may listen on port 443.
  outgoing = {
    send: (request) => real.send({ ...request, port: request.port === 443 ? port : request.port }),
    [Symbol.dispose]: () => real[Symbol.dispose](),
  }
})
beforeEach(() => {
  asked = []
  shiftMs = 0
  answer = (_request, response) => void response.writeHead(404).end()
})
after(async () => {
  outgoing[Symbol.dispose]()
  web.closeAllConnections()
  web.close()
  await dns[Symbol.asyncDispose]()
})

const createFresh = (): Discovery =>
  createDiscovery({
    outgoing,
    resolver: createSystemResolver(clock, { servers: [dns.address], hostsFile: '/nonexistent' }),
    clock,
    random: countingRandom(),
    budget: createMemoryBudget(1_000_000),
  })

const find = async (name: string, discovery = createFresh()): Promise<string[]> => {
  const { targets } = await discovery.find(name as ServerName)
  return targets.map(
    ({ host, port, hostHeader, tlsName }) => `${host} ${port} Host: ${hostHeader} TLS: ${tlsName}`,
  )
}

const delegate = (to: unknown, headers: Record<string, string> = {}): void => {
  answer = (_request, response) =>
    void response.writeHead(200, headers).end(JSON.stringify({ 'm.server': to }))
}

describe('a server name', () => {
  it('that is an address needs no discovery', async () => {
    assert.deepEqual(await find('192.0.2.1'), ['192.0.2.1 8448 Host: 192.0.2.1 TLS: 192.0.2.1'])
    assert.deepEqual(await find('192.0.2.1:99'), ['192.0.2.1 99 Host: 192.0.2.1:99 TLS: 192.0.2.1'])
    assert.deepEqual(await find('[2001:db8::1]'), ['2001:db8::1 8448 Host: [2001:db8::1] TLS: 2001:db8::1'])
    assert.deepEqual(await find('[2001:db8::1]:1'), ['2001:db8::1 1 Host: [2001:db8::1]:1 TLS: 2001:db8::1'])
    assert.deepEqual(asked, [])
  })

  it('with a port needs no discovery', async () => {
    delegate('elsewhere.test')
    assert.deepEqual(await find('one.test:443'), ['one.test 443 Host: one.test:443 TLS: one.test'])
    assert.deepEqual(asked, [])
    await assert.rejects(find('one.test:0'), DiscoveryError)
    await assert.rejects(find('one.test:99999'), DiscoveryError)
  })

  it('leads by its well-known document to an address, or to a host with a port', async () => {
    dns.names.set('w1.test', { addresses: ['127.0.0.1'] })
    delegate('192.0.2.7')
    assert.deepEqual(await find('w1.test'), ['192.0.2.7 8448 Host: 192.0.2.7 TLS: 192.0.2.7'])
    delegate('[2001:db8::7]:44')
    assert.deepEqual(await find('w1.test'), ['2001:db8::7 44 Host: [2001:db8::7]:44 TLS: 2001:db8::7'])
    delegate('chat.w1.test:443')
    assert.deepEqual(await find('w1.test'), ['chat.w1.test 443 Host: chat.w1.test:443 TLS: chat.w1.test'])
    assert.deepEqual(asked, ['w1.test', 'w1.test', 'w1.test'])
  })

  it('leads by its well-known document to a host, and from there by SRV records', async () => {
    dns.names.set('w2.test', { addresses: ['127.0.0.1'] })
    delegate('chat.w2.test')
    assert.deepEqual(await find('w2.test'), ['chat.w2.test 8448 Host: chat.w2.test TLS: chat.w2.test'])
    dns.names.set('_matrix._tcp.chat.w2.test', { srv: [{ target: 'old.test', port: 1 }] })
    assert.deepEqual(await find('w2.test'), ['old.test 1 Host: chat.w2.test TLS: chat.w2.test'])
    dns.names.set('_matrix-fed._tcp.chat.w2.test', {
      srv: [
        { target: 'second.test', port: 3, priority: 20 },
        { target: 'first.test', port: 2, priority: 10 },
      ],
    })
    assert.deepEqual(await find('w2.test'), [
      'first.test 2 Host: chat.w2.test TLS: chat.w2.test',
      'second.test 3 Host: chat.w2.test TLS: chat.w2.test',
    ])
  })

  it('without a well-known document leads by SRV records, the registered one first, or to port 8448', async () => {
    dns.names.set('s1.test', { addresses: ['127.0.0.1'] })
    assert.deepEqual(await find('s1.test'), ['s1.test 8448 Host: s1.test TLS: s1.test'])
    dns.names.set('_matrix._tcp.s1.test', { srv: [{ target: 'old.test', port: 1 }] })
    assert.deepEqual(await find('s1.test'), ['old.test 1 Host: s1.test TLS: s1.test'])
    dns.names.set('_matrix-fed._tcp.s1.test', { srv: [{ target: 'new.test', port: 2 }] })
    assert.deepEqual(await find('s1.test'), ['new.test 2 Host: s1.test TLS: s1.test'])
    dns.names.set('_matrix-fed._tcp.s1.test', { srv: [{ target: '.', port: 0 }] })
    assert.deepEqual(await find('s1.test'), ['old.test 1 Host: s1.test TLS: s1.test'])
    dns.names.set('_matrix-fed._tcp.s1.test', { fails: true })
    assert.deepEqual(await find('s1.test'), ['old.test 1 Host: s1.test TLS: s1.test'])
  })

  it('goes on as if there were no document when the document is none', async () => {
    dns.names.set('b1.test', { addresses: ['127.0.0.1'] })
    const plain = ['b1.test 8448 Host: b1.test TLS: b1.test']
    for (const to of [
      5,
      null,
      '',
      'a b',
      'http://x.test',
      'x.test/path',
      ['x.test'],
      'x.test:',
      '1.2.3.4:x',
    ]) {
      delegate(to)
      assert.deepEqual(await find('b1.test'), plain, JSON.stringify(to))
    }
    for (const body of ['', '{', '[]', '"x.test"', '{}', 'null', '\ufeff{"m.server":"x.test"}']) {
      answer = (_request, response) => void response.end(body)
      assert.deepEqual(await find('b1.test'), plain, body)
    }
    answer = (_request, response) => void response.end(`{"m.server":"x.test","_":"${'x'.repeat(60_000)}"}`)
    assert.deepEqual(await find('b1.test'), plain)
    answer = (_request, response) => void response.writeHead(201).end('{"m.server":"x.test"}')
    assert.deepEqual(await find('b1.test'), plain)
    answer = (_request, response) => void response.writeHead(302, { location: '/' }).end()
    assert.deepEqual(await find('b1.test'), plain)
    // A certificate for another name is as good as none.
    dns.names.set('x.y.test', { addresses: ['127.0.0.1'] })
    delegate('elsewhere.test')
    assert.deepEqual(await find('x.y.test'), ['x.y.test 8448 Host: x.y.test TLS: x.y.test'])
  })
})

describe('what was found', () => {
  const askedAfter = async (discovery: Discovery, name: string, ms: number): Promise<number> => {
    asked = []
    shiftMs += ms
    await find(name, discovery)
    return asked.length
  }

  it('is kept as long as the answer allows, within bounds', async () => {
    const discovery = createFresh()
    dns.names.set('c1.test', { addresses: ['127.0.0.1'] })
    delegate('chat.test:1', { 'cache-control': 'public, max-age=7200' })
    await find('c1.test', discovery)
    assert.equal(await askedAfter(discovery, 'c1.test', 1.9 * HOUR_MS), 0)
    assert.equal(await askedAfter(discovery, 'c1.test', 0.2 * HOUR_MS), 1)
    assert.equal(await askedAfter(discovery, 'c1.test', 0), 0)
  })

  it('outlives an outage of its host, but not its word that there is nothing', async () => {
    const discovery = createFresh()
    dns.names.set('c2.test', { addresses: ['127.0.0.1'] })
    const delegated = ['chat.test 1 Host: chat.test:1 TLS: chat.test']
    delegate('chat.test:1', { 'cache-control': 'max-age=600' })
    assert.deepEqual(await find('c2.test', discovery), delegated)
    answer = (_request, response) => void response.writeHead(503).end()
    shiftMs += HOUR_MS
    assert.deepEqual(await find('c2.test', discovery), delegated)
    shiftMs += 48 * HOUR_MS
    assert.deepEqual(await find('c2.test', discovery), ['c2.test 8448 Host: c2.test TLS: c2.test'])
    delegate('chat.test:1')
    shiftMs += HOUR_MS * 2
    assert.deepEqual(await find('c2.test', discovery), delegated)
    answer = (_request, response) => void response.writeHead(404).end()
    shiftMs += 25 * HOUR_MS
    assert.deepEqual(await find('c2.test', discovery), ['c2.test 8448 Host: c2.test TLS: c2.test'])
  })

  it('is looked for ever more rarely where there is nothing, and once for all who ask', async () => {
    const discovery = createFresh()
    dns.names.set('c3.test', { addresses: ['127.0.0.1'] })
    await Promise.all([find('c3.test', discovery), find('c3.test', discovery), find('c3.test', discovery)])
    assert.equal(asked.length, 1)
    // What SRV records said is kept for five minutes; each look after that finds the next error lifetime over or not.
    const waits: number[] = []
    for (let minutes = 6; minutes < 300; minutes += 6) {
      if ((await askedAfter(discovery, 'c3.test', 6 * 60_000)) > 0) waits.push(minutes)
    }
    const gaps = waits.slice(1).map((at, i) => at - waits[i]!)
    assert.deepEqual(
      gaps.toSorted((a, b) => a - b),
      gaps,
    )
    assert.ok(Math.max(...gaps) <= 72, String(gaps))
  })

  it('is looked up anew in DNS once it led nowhere', async () => {
    const discovery = createFresh()
    dns.names.set('c4.test', { addresses: ['127.0.0.1'] })
    await find('c4.test', discovery)
    dns.names.set('_matrix-fed._tcp.c4.test', { srv: [{ target: 'new.test', port: 2 }] })
    assert.deepEqual(await find('c4.test', discovery), ['c4.test 8448 Host: c4.test TLS: c4.test'])
    discovery.forget('c4.test' as ServerName)
    assert.deepEqual(await find('c4.test', discovery), ['new.test 2 Host: c4.test TLS: c4.test'])
  })
})

describe('lifetimes', () => {
  const now = Date.UTC(2026, 0, 1)
  it('follow the headers within five minutes and two days', () => {
    assert.equal(lifetimeOf({}, now), 24 * HOUR_MS)
    assert.equal(lifetimeOf({ 'cache-control': 'max-age=3600' }, now), HOUR_MS)
    assert.equal(lifetimeOf({ 'cache-control': 'MAX-AGE = "3600", public' }, now), HOUR_MS)
    assert.equal(lifetimeOf({ 'cache-control': 'max-age=0' }, now), 300_000)
    assert.equal(lifetimeOf({ 'cache-control': 'no-store' }, now), 300_000)
    assert.equal(lifetimeOf({ 'cache-control': 'max-age=999999999999' }, now), 48 * HOUR_MS)
    assert.equal(lifetimeOf({ expires: new Date(now + 7_200_000).toUTCString() }, now), 2 * HOUR_MS)
    assert.equal(lifetimeOf({ expires: '0' }, now), 300_000)
    assert.equal(lifetimeOf({ 'cache-control': 'max-age=3600', expires: '0' }, now), HOUR_MS)
    assert.equal(lifetimeOf({ 'cache-control': 's-maxage=5' }, now), 24 * HOUR_MS)
  })

  it('of errors double up to an hour', () => {
    assert.deepEqual(
      [1, 2, 3, 20].map((n) => errorLifetime(n, 0.5)),
      [60_000, 120_000, 240_000, HOUR_MS],
    )
  })
})

describe('anything at all', () => {
  it('as a well-known document gives a server name or nothing', () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.anything().map((value) => Buffer.from(JSON.stringify({ 'm.server': value }) ?? '')),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(`{"m.server":${JSON.stringify(text)}}`)),
    )
    fc.assert(
      fc.property(bodies, (body) => {
        const server = parseWellKnown(body)
        assert.ok(server === undefined || /^[A-Za-z0-9.:[\]-]{1,270}$/.test(server))
      }),
    )
  })

  it('as SRV records is brought into an order of usable ones', () => {
    const record = fc.record({
      target: fc.constantFrom('', '.', 'a.test', 'b.test'),
      port: fc.nat(65_535),
      priority: fc.nat(3),
      weight: fc.nat(65_535),
    })
    fc.assert(
      fc.property(fc.array(record), fc.double({ min: 0, max: 0.999, noNaN: true }), (records, fraction) => {
        const ordered = orderSrv(records, { fraction: () => fraction })
        assert.ok(ordered.length <= 8)
        assert.ok(ordered.every(({ target, port }) => target.length > 1 && port > 0))
        const priorities = ordered.map((one) => one.priority)
        assert.deepEqual(
          priorities,
          priorities.toSorted((a, b) => a - b),
        )
      }),
    )
  })
})
