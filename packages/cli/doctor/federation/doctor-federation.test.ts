import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import { createOwnKeys } from '@causeway/homeserver/federation/keys/own-keys.ts'
import { loadSigningKeys } from '@causeway/homeserver/crypto/signing-key.ts'
import type { Outgoing } from '@causeway/homeserver/outgoing/outgoing.ts'
import { createSystemResolver } from '@causeway/homeserver/outgoing/system-resolver.ts'
import { testConfig } from '@causeway/homeserver/test-server.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { freePort } from '@causeway/testkit/free-port.ts'
import { startDnsServer, type DnsServer } from '@causeway/testkit/dns-server.ts'
import type { Finding } from '../finding.ts'
import { checkFederation } from './check-federation.ts'
import { checkVia } from './check-via.ts'
import { adviseDelegation, planDelegation, type DelegationConfig } from './delegation.ts'
import type { DoctorParts } from './probe.ts'

// openstreetmap.org delegates to chat.openstreetmap.org, as a community with a web site of its own does.
const NAME = 'openstreetmap.test' as ServerName
const CHAT = 'chat.openstreetmap.test'
const authority = makeAuthority()

let folder = ''
let dns: DnsServer
let web: Server
let chat: Server
let config: HomeserverConfig
let parts: DoctorParts
/** What `https://openstreetmap.test/.well-known/matrix/server` answers. */
let wellKnown: string | undefined
let chatAnswers: () => unknown

async function listen(name: string, answer: (url: string) => string | undefined): Promise<Server> {
  const { key, certificate: cert } = authority.issue(name)
  const server = createServer({ key, cert }, (request, response) => {
    const body = answer(request.url!)
    response.writeHead(body === undefined ? 404 : 200).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'doctor-'))
  dns = await startDnsServer()
  for (const name of [NAME, CHAT, 'other.test']) dns.names.set(name, { addresses: ['127.0.0.1'] })
  web = await listen(NAME, (url) => (url === '/.well-known/matrix/server' ? wellKnown : undefined))
  chat = await listen(CHAT, () => JSON.stringify(chatAnswers()))
  const authorityFile = path.join(folder, 'authority.pem')
  await writeFile(authorityFile, authority.certificate)
  const base = testConfig(folder, {
    server_name: NAME,
    public_base_url: `https://${CHAT}`,
    listeners: [{ host: '127.0.0.1', port: 8008 }],
  })
  config = {
    ...base,
    federation: { ...base.federation, delegate: `${CHAT}:443`, ca_certificates: [authorityFile] },
  }
  // Nobody may listen on port 443 or 8448 in a test: what goes there goes to the servers above, or nowhere.
  const nowhere = await freePort()
  const route = (host: string, port: number): number =>
    port !== 443 ? nowhere : host === NAME ? portOf(web) : host === CHAT ? portOf(chat) : nowhere
  parts = {
    resolver: createSystemResolver(systemClock, { servers: [dns.address], hostsFile: '/nonexistent' }),
    outgoing: (real): Outgoing => ({
      send: (request) => real.send({ ...request, port: route(request.host, request.port) }),
      [Symbol.dispose]: () => real[Symbol.dispose](),
    }),
  }
})
beforeEach(async () => {
  wellKnown = `{"m.server":"${CHAT}:443"}`
  const keys = createOwnKeys(NAME, await loadSigningKeys(config.signing_key, systemRandom), {}, systemClock)
  chatAnswers = () => keys.document()
})
after(async () => {
  for (const server of [web, chat]) {
    server.closeAllConnections()
    server.close()
  }
  await dns[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const textOf = (findings: readonly Finding[]): string =>
  findings.map(({ level, text, advice = [] }) => [`${level} ${text}`, ...advice].join('\n')).join('\n')

describe('causeway doctor', () => {
  it('is content when others get from the server name to this server', async () => {
    const findings = await checkFederation(config, parts)
    assert.deepEqual(
      findings.map(({ level, text }) => `${level} ${text}`),
      [
        `ok Federation: https://${NAME}/.well-known/matrix/server names ${CHAT}:443`,
        `ok Federation: this server answers at ${CHAT}:443`,
      ],
    )
  })

  it('prints the file, the line and the proxy that are missing', async () => {
    wellKnown = undefined
    const text = textOf(await checkFederation(config, parts))
    assert.match(text, /fail Federation: other servers are led to openstreetmap\.test:8448: .*ECONNREFUSED/)
    for (const line of [
      `Serve this at https://${NAME}/.well-known/matrix/server:`,
      `    {"m.server":"${CHAT}:443"}`,
      `    _matrix-fed._tcp.${NAME}. 3600 IN SRV 10 5 443 ${CHAT}.`,
      `        return 200 '{"m.server":"${CHAT}:443"}';`,
      `        server_name ${CHAT};`,
      '            proxy_pass http://127.0.0.1:8008;',
      `${CHAT} needs an A or AAAA record, and port 443 must be open to everybody.`,
    ]) {
      assert.ok(text.split('\n').includes(line), `${line}\nis not in\n${text}`)
    }
    assert.match(
      text,
      /warn Federation: federation\.delegate says chat\.openstreetmap\.test:443, but others are led to/,
    )
  })

  it('notices another server, a wrong certificate, and a web site where the server should be', async () => {
    const stranger = await loadSigningKeys(path.join(folder, 'stranger.key'), systemRandom)
    chatAnswers = () => createOwnKeys(NAME, stranger, {}, systemClock).document()
    assert.match(textOf(await checkFederation(config, parts)), /fail .*it has other keys than this server/)
    chatAnswers = () => createOwnKeys('other.test' as ServerName, stranger, {}, systemClock).document()
    assert.match(
      textOf(await checkFederation(config, parts)),
      /fail .*is not that of openstreetmap\.test: it is of another/,
    )
    chatAnswers = () => undefined
    assert.match(
      textOf(await checkFederation(config, parts)),
      /fail .*answers \/_matrix\/key\/v2\/server with status 404/,
    )
    wellKnown = `{"m.server":"${NAME}:443"}`
    dns.names.set('_matrix-fed._tcp.openstreetmap.test', { srv: [{ target: CHAT, port: 443 }] })
    wellKnown = undefined
    const text = textOf(await checkFederation(config, parts))
    dns.names.delete('_matrix-fed._tcp.openstreetmap.test')
    assert.match(
      text,
      /ok Federation: SRV _matrix-fed\._tcp\.openstreetmap\.test names chat\.openstreetmap\.test:443/,
    )
    assert.match(
      text,
      /fail .*chat\.openstreetmap\.test:443 \(certificate for openstreetmap\.test\): .*altnames/,
    )
  })

  it('says so when there is nothing to look at', async () => {
    const off = { ...config, federation: { ...config.federation, enabled: false } }
    assert.equal(textOf(await checkFederation(off, parts)), 'ok Federation: off')
    const local = textOf(await checkFederation({ ...config, server_name: 'localhost' }, parts))
    assert.match(local, /^ok Federation: localhost is a name for this machine alone/)
    const fresh = { ...config, signing_key: path.join(folder, 'none.key') }
    assert.match(textOf(await checkFederation(fresh, parts)), /^warn .*no key yet/)
  })
})

describe('causeway doctor --via', () => {
  const now = (): number => systemClock.now()
  const via = async (answers: () => unknown): Promise<string> => {
    const keys = chatAnswers
    chatAnswers = answers
    const findings = await checkVia(config, `${CHAT}:443`, now(), parts)
    chatAnswers = keys
    return textOf(findings)
  }

  it('tells by what another server says of our keys whether it can reach us', async () => {
    const document = chatAnswers
    assert.match(await via(() => ({ server_keys: [document()] })), /^ok Via: .* has just fetched/)
    const stale = createOwnKeys(
      NAME,
      await loadSigningKeys(config.signing_key, systemRandom),
      {},
      {
        now: () => now() - 3_600_000,
      },
    ).document()
    assert.match(
      await via(() => ({ server_keys: [stale] })),
      /^fail .*knows the keys .* but cannot fetch them now/,
    )
    assert.match(await via(() => ({ server_keys: [] })), /^fail Via: .* cannot reach this server/)
    const stranger = await loadSigningKeys(path.join(folder, 'stranger.key'), systemRandom)
    const other = createOwnKeys(NAME, stranger, {}, systemClock).document()
    assert.match(
      await via(() => ({ server_keys: [other] })),
      /^fail .*tells other keys of openstreetmap\.test/,
    )
    assert.match(textOf(await checkVia(config, 'nowhere.test:1', now(), parts)), /^fail .* cannot be asked/)
    assert.match(textOf(await checkVia(config, 'no name', now(), parts)), /^fail .*is no server name/)
  })
})

describe('the advice', () => {
  const plan = (more: Partial<DelegationConfig>, delegate?: string): ReturnType<typeof planDelegation> =>
    planDelegation({
      server_name: 'example.org',
      listeners: [{ host: '127.0.0.1', port: 8008 }],
      federation: { ...config.federation, delegate: delegate as string },
      ...more,
    })

  it('follows from what is configured', () => {
    const tls = { port: 8448, tls_cert: 'c', tls_key: 'k' }
    const bare = { ...config.federation }
    delete bare.delegate
    assert.deepEqual(plan({}, 'chat.example.org:443'), {
      serverName: 'example.org',
      hostname: 'example.org',
      host: 'chat.example.org',
      port: 443,
      upstream: 'http://127.0.0.1:8008',
    })
    assert.equal(plan({}, 'chat.example.org').port, 8448)
    const own = plan({ federation: bare, listeners: [{ port: 8008 }, tls] })
    assert.deepEqual([own.host, own.port, own.upstream], ['example.org', 8448, undefined])
    assert.deepEqual(adviseDelegation(own), [
      'example.org needs an A or AAAA record, and port 8448 must be open to everybody.',
    ])
    const byUrl = plan({ federation: bare, public_base_url: 'https://chat.example.org' })
    assert.deepEqual([byUrl.host, byUrl.port], ['chat.example.org', 443])
    const named = plan({ federation: bare, server_name: 'example.org:8449' })
    assert.deepEqual([named.host, named.port], ['example.org', 8449])
    assert.doesNotMatch(adviseDelegation(named).join('\n'), /well-known/)
    const socket = plan({ federation: bare, listeners: [{ socket: '/run/causeway.sock' }] })
    assert.match(adviseDelegation(socket).join('\n'), /proxy_pass http:\/\/unix:\/run\/causeway\.sock:;/)
    const split = plan({
      federation: bare,
      listeners: [{ port: 8008, resources: ['client'] }, { port: 8009 }],
    })
    assert.equal(split.upstream, 'http://127.0.0.1:8009')
  })
})
