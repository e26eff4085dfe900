import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { after, before, it } from 'node:test'
import { systemClock } from '@causeway/store/clock/system.ts'
import { makeAuthority, type KeyAndCertificate } from '@causeway/testkit/certificates.ts'
import { silentLogger } from '../ops/log.ts'
import { CHECK_EVERY_MS, readCertificate, watchCertificates } from './certificate-files.ts'
import { readListenAddresses } from './listen-addresses.ts'
import { startListeners } from './listen.ts'

const authority = makeAuthority()
let folder = ''
let certFile = ''
let keyFile = ''

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'certificates-'))
  certFile = path.join(folder, 'tls.crt')
  keyFile = path.join(folder, 'tls.key')
})
after(() => rm(folder, { recursive: true }))

async function write({ key, certificate }: KeyAndCertificate): Promise<void> {
  await writeFile(keyFile, key)
  await writeFile(certFile, certificate)
}

/** A new connection, its certificate verified for that name. */
function connectTo(port: number, servername: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, ca: authority.certificate }, () =>
      resolve(socket),
    )
    socket.once('error', reject)
  })
}

async function ask(socket: TLSSocket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  return new Promise((resolve) =>
    socket.once('data', (data: Buffer) => resolve(data.toString().slice(0, 12))),
  )
}

it('a renewed certificate is served without a restart, and connections that stand go on', async () => {
  await write(authority.issue('before.test'))
  const config = { listeners: [{ host: '127.0.0.1', port: 0, tls_cert: certFile, tls_key: keyFile }] }
  await using listeners = await startListeners({
    addresses: await readListenAddresses(config),
    handle: async (_request, response) => void response.end('x'),
    clock: systemClock,
  })
  const timers: { fn: () => void; ms: number }[] = []
  const clock = {
    ...systemClock,
    setTimeout: (fn: () => void, ms: number) => {
      timers.push({ fn, ms })
      return { cancel: () => undefined }
    },
  }
  using watch = watchCertificates(config, listeners, { clock, logger: silentLogger })
  assert.deepEqual(
    timers.map(({ ms }) => ms),
    [CHECK_EVERY_MS],
  )
  const port = Number(new URL(listeners.urls[0]!).port)
  const old = await connectTo(port, 'before.test')
  assert.equal(await ask(old), 'HTTP/1.1 200')
  await watch.check()
  assert.equal(await watch.check(), 0, 'nothing has changed')

  // A renewal writes one file after the other; seen in between, they do not belong together.
  const renewed = authority.issue('after.test')
  await writeFile(certFile, renewed.certificate)
  assert.equal(await watch.check(), 0)
  ;(await connectTo(port, 'before.test')).destroy()
  await writeFile(keyFile, renewed.key)
  assert.equal(await watch.check(), 1)
  ;(await connectTo(port, 'after.test')).destroy()
  await assert.rejects(connectTo(port, 'before.test'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  assert.equal(await ask(old), 'HTTP/1.1 200')
  old.destroy()

  await rm(keyFile)
  assert.equal(await watch.check(), 0)
  ;(await connectTo(port, 'after.test')).destroy()
})

it('files that are no certificate and key stop the start with a sentence', async () => {
  await write(authority.issue('a.test'))
  await readCertificate({ certFile, keyFile })
  await writeFile(certFile, authority.issue('b.test').certificate)
  await assert.rejects(readCertificate({ certFile, keyFile }), /are no certificate with its key/)
  await assert.rejects(readCertificate({ certFile: `${certFile}.not`, keyFile }), /Cannot read .*\.not/)
})
