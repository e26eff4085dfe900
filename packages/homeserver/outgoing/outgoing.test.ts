import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { systemClock } from '@causeway/store/clock/system.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { startDnsServer, type DnsServer } from '@causeway/testkit/dns-server.ts'
import { createAddressGuard } from './address-guard.ts'
import { BadRedirect, getFollowing } from './get-following.ts'
import {
  AddressRefused,
  createOutgoing,
  OutgoingTimeout,
  type Outgoing,
  type OutgoingRequest,
} from './outgoing.ts'
import { AnswerTooLong, readBody } from './read-body.ts'
import { createSystemResolver, parseHosts } from './system-resolver.ts'

const authority = makeAuthority()
const { key, certificate: cert } = authority.issue('right.test', '127.0.0.1', '::1')

let dns: DnsServer
let server: Server
let port = 0
let outgoing: Outgoing
let answer: (request: IncomingMessage, response: ServerResponse) => void
let connections = 0

const createClient = (allowed: readonly string[]): Outgoing =>
  createOutgoing({
    clock: systemClock,
    resolver: createSystemResolver(systemClock, { servers: [dns.address], hostsFile: '/nonexistent' }),
    guard: createAddressGuard(allowed),
    authorities: [authority.certificate],
  })

before(async () => {
  dns = await startDnsServer()
  server = createServer({ key, cert }, (request, response) => answer(request, response))
  server.on('secureConnection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  dns.names.set('right.test', { addresses: ['127.0.0.1'] })
  dns.names.set('wrong.test', { addresses: ['127.0.0.1'] })
  outgoing = createClient(['127.0.0.1'])
})
beforeEach(() => {
  answer = (_request, response) => void response.end('hello')
})
after(async () => {
  outgoing[Symbol.dispose]()
  server.closeAllConnections()
  server.close()
  await dns[Symbol.asyncDispose]()
})

const request = (more: Partial<OutgoingRequest> = {}): OutgoingRequest => ({
  host: 'right.test',
  port,
  tlsName: 'right.test',
  method: 'GET',
  path: '/',
  headers: { host: 'right.test' },
  timeoutMs: 10_000,
  ...more,
})

const textOf = async (sent: Promise<{ body: Parameters<typeof readBody>[0] }>): Promise<string> =>
  Buffer.from(await readBody((await sent).body, 1000)).toString()

describe('outgoing requests', () => {
  it('reach a host by name and by address, over one connection while it lasts', async () => {
    connections = 0
    assert.equal(await textOf(outgoing.send(request())), 'hello')
    assert.equal(await textOf(outgoing.send(request())), 'hello')
    assert.equal(connections, 1)
    assert.equal(await textOf(outgoing.send(request({ host: '127.0.0.1', tlsName: '127.0.0.1' }))), 'hello')
    assert.equal(connections, 2)
  })

  it('insist on a certificate for the right name', async () => {
    const wrong = request({ host: 'wrong.test', tlsName: 'wrong.test' })
    await assert.rejects(outgoing.send(wrong), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    // Where to connect and whom to expect are two things: a delegation by SRV proves itself by the name before it.
    assert.equal(await textOf(outgoing.send(request({ host: 'wrong.test', tlsName: 'right.test' }))), 'hello')
    await assert.rejects(outgoing.send(request({ tlsName: 'wrong.test' })), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
    assert.equal(await textOf(outgoing.send({ ...wrong, verifyTls: false })), 'hello')
    await assert.rejects(outgoing.send(wrong), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  })

  it('insist on an authority that they know', async () => {
    const guard = createAddressGuard(['127.0.0.1'])
    const resolver = createSystemResolver(systemClock, { servers: [dns.address] })
    using strangers = createOutgoing({ clock: systemClock, resolver, guard })
    await assert.rejects(strangers.send(request()), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  })

  it('do not go to private addresses, whether named or resolved', async () => {
    using strict = createClient([])
    connections = 0
    await assert.rejects(strict.send(request()), AddressRefused)
    await assert.rejects(strict.send(request({ host: '127.0.0.1' })), AddressRefused)
    await assert.rejects(strict.send(request({ host: '::ffff:127.0.0.1' })), AddressRefused)
    dns.names.set('mixed.test', { addresses: ['::1', '127.0.0.1'] })
    await assert.rejects(strict.send(request({ host: 'mixed.test' })), AddressRefused)
    assert.equal(connections, 0)
    // Of several addresses, those that may be are tried.
    assert.equal(await textOf(outgoing.send(request({ host: 'mixed.test' }))), 'hello')
  })

  it('end when the time is over, in the head and in the body, and when whoever asked gives up', async () => {
    answer = () => undefined
    await assert.rejects(outgoing.send(request({ timeoutMs: 50 })), OutgoingTimeout)
    answer = (_request, response) => void response.write('a')
    const slow = await outgoing.send(request({ timeoutMs: 300 }))
    await assert.rejects(readBody(slow.body, 1000))
    answer = () => undefined
    const stop = new AbortController()
    const sent = outgoing.send(request({ signal: stop.signal }))
    stop.abort(new Error('enough'))
    await assert.rejects(sent, /enough/)
  })

  it('read no more than they want', async () => {
    answer = (_request, response) => void response.end('x'.repeat(100_000))
    const { body } = await outgoing.send(request())
    await assert.rejects(readBody(body, 1000), AnswerTooLong)
    assert.equal(body.destroyed, true)
  })

  it('are sent again when a kept connection turns out to be closed', async () => {
    await textOf(outgoing.send(request()))
    // The server forgets the connection without a word at the moment it is used again.
    let first = true
    answer = (incoming, response) => {
      if (first) {
        first = false
        incoming.socket.destroy()
      } else response.end('again')
    }
    assert.equal(await textOf(outgoing.send(request())), 'again')
  })

  it('give up soon on a host that takes the connection and then says nothing', async () => {
    const silent = createTcpServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const clock = {
      ...systemClock,
      setTimeout: (fn: () => void, ms: number) => systemClock.setTimeout(fn, ms === 10_000 ? 20 : ms),
    }
    const resolver = createSystemResolver(clock, { servers: [dns.address], hostsFile: '/nonexistent' })
    using hasty = createOutgoing({ clock, resolver, guard: createAddressGuard(['127.0.0.1']) })
    const sent = hasty.send(request({ port: (silent.address() as AddressInfo).port, timeoutMs: 60_000 }))
    await assert.rejects(sent, /no connection within 10 s/)
    silent.close()
  })

  it('say what is wrong with a host that is not there', async () => {
    await assert.rejects(outgoing.send(request({ host: 'nowhere.test' })), /no address/)
    const closed = createTcpServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const free = (closed.address() as AddressInfo).port
    closed.close()
    await once(closed, 'close')
    await assert.rejects(outgoing.send(request({ port: free })), { code: 'ECONNREFUSED' })
  })
})

describe('redirects', () => {
  const options = { headers: {}, maxRedirects: 3, timeoutMs: 5_000 }
  const go = (path: string): ReturnType<typeof getFollowing> =>
    getFollowing(outgoing, new URL(`https://right.test:${port}${path}`), options)

  it('are followed a few times', async () => {
    answer = (incoming, response) => {
      const left = Number(incoming.url!.slice(1))
      if (left > 0) response.writeHead(302, { location: `/${left - 1}` }).end()
      else response.end(`at ${incoming.headers.host}`)
    }
    assert.equal(await textOf(go('/3')), `at right.test:${port}`)
    await assert.rejects(go('/4'), BadRedirect)
  })

  it('are not followed in circles, to http, to nonsense, or to where nobody may go', async () => {
    const to = async (location: string): Promise<unknown> => {
      answer = (_incoming, response) => void response.writeHead(307, { location }).end()
      return go('/')
    }
    await assert.rejects(to('/'), BadRedirect)
    await assert.rejects(to('http://right.test/'), BadRedirect)
    await assert.rejects(to('https://['), BadRedirect)
    await assert.rejects(to(`https://127.0.0.2:${port}/`), AddressRefused)
    await assert.rejects(to('https://2130706434/'), AddressRefused)
    await assert.rejects(to('https://[::1]/'), AddressRefused)
  })
})

describe('the system’s resolver', () => {
  it('tells an answer of nothing from no answer', async () => {
    const resolver = createSystemResolver(systemClock, { servers: [dns.address], hostsFile: '/nonexistent' })
    dns.names.set('both.test', { addresses: ['192.0.2.1', '2001:db8::1'] })
    dns.names.set('_matrix-fed._tcp.srv.test', {
      srv: [{ target: 'a.test', port: 5, priority: 1, weight: 2 }],
    })
    dns.names.set('broken.test', { fails: true })
    assert.deepEqual(await resolver.addresses('both.test'), ['2001:db8::1', '192.0.2.1'])
    assert.deepEqual(await resolver.addresses('nowhere.test'), [])
    assert.deepEqual(await resolver.srv('_matrix-fed._tcp.srv.test'), [
      { target: 'a.test', port: 5, priority: 1, weight: 2 },
    ])
    assert.deepEqual(await resolver.srv('_matrix._tcp.srv.test'), [])
    await assert.rejects(resolver.addresses('broken.test'))
  })

  it('reads a hosts file as the system does', () => {
    const hosts = parseHosts(
      '127.0.0.1 localhost Here # not.this\n::1\tlocalhost\n# 10.0.0.1 no\nnonsense x\n',
    )
    assert.deepEqual(Object.fromEntries(hosts), { localhost: ['127.0.0.1', '::1'], here: ['127.0.0.1'] })
  })
})
