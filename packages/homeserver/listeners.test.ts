import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, it } from 'node:test'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import type { HomeserverConfig } from './config.ts'
import { silentLogger } from './ops/log.ts'
import { startHomeserver, type RunningHomeserver } from './server.ts'
import { UNLIMITED } from './limits/test-limits.ts'
import { testConfig } from './test-server.ts'

const authority = makeAuthority()
let folder = ''
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'listeners-'))
  await writeCertificate('hs.test')
})
after(() => rm(folder, { recursive: true }))

async function writeCertificate(name: string): Promise<void> {
  const { key, certificate } = authority.issue(name)
  await writeFile(path.join(folder, 'tls.key'), key)
  await writeFile(path.join(folder, 'tls.crt'), certificate)
}

function start(more: Partial<HomeserverConfig['federation']> = {}): Promise<RunningHomeserver> {
  const base = testConfig(folder, { server_name: 'hs.test', rate_limits: UNLIMITED })
  const tls = { tls_cert: path.join(folder, 'tls.crt'), tls_key: path.join(folder, 'tls.key') }
  const config: HomeserverConfig = {
    ...base,
    listeners: [
      { host: '127.0.0.1', port: 0, resources: ['client'] },
      { host: '127.0.0.1', port: 0, ...tls, resources: ['federation'] },
    ],
    federation: { ...base.federation, delegate: 'hs.test:443', ...more },
  }
  return startHomeserver(config, { clock: systemClock, random: systemRandom, logger: silentLogger })
}

/** Status and body over TLS; the certificate must be for that name. */
function askTls(url: string, servername: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { servername, ca: authority.certificate, agent: false }, (answer) => {
      void text(answer).then((body) => resolve({ status: answer.statusCode!, body }))
    })
    asking.once('error', reject)
    asking.end()
  })
}

it('clients and other servers are served at addresses of their own, and certificates renewed while it runs', async () => {
  const server = await start()
  try {
    const [plain, tls] = server.urls as [string, string]
    const statusOf = async (url: string): Promise<number> => (await fetch(url)).status
    assert.equal(await statusOf(`${plain}/_matrix/client/versions`), 200)
    assert.equal(await statusOf(`${plain}/_matrix/federation/v1/version`), 404)
    assert.equal(await statusOf(`${plain}/_matrix/key/v2/server`), 404)
    assert.equal(await statusOf(`${plain}/.well-known/matrix/server`), 200)
    assert.equal((await askTls(`${tls}/_matrix/federation/v1/version`, 'hs.test')).status, 200)
    const refused = await askTls(`${tls}/_matrix/client/versions`, 'hs.test')
    assert.equal(refused.status, 404)
    assert.match(refused.body, /M_UNRECOGNIZED/)

    await writeCertificate('renewed.test')
    await server.certificates.check()
    assert.equal((await askTls(`${tls}/_matrix/key/v2/server`, 'renewed.test')).status, 200)
    await assert.rejects(askTls(`${tls}/_matrix/key/v2/server`, 'hs.test'), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  } finally {
    await server.stop()
  }
})

it('without federation nothing of it is there', async () => {
  const server = await start({ enabled: false })
  try {
    const [plain, tls] = server.urls as [string, string]
    assert.equal((await fetch(`${plain}/.well-known/matrix/server`)).status, 404)
    assert.equal((await askTls(`${tls}/_matrix/federation/v1/version`, 'renewed.test')).status, 404)
    const { client } = server.hs.federation
    const version = { method: 'GET', path: '/_matrix/federation/v1/version' } as const
    await assert.rejects(
      client.request('other.test' as typeof server.hs.serverName, version),
      /does not speak to it/,
    )
  } finally {
    await server.stop()
  }
})
