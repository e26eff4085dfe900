import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noIrcServers } from '@causeway/testkit/irc/irc-servers.ts'
import { startInspircd } from '@causeway/testkit/irc/inspircd.ts'
import { startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import { observeClient, startObservedClient } from '@causeway/testkit/irc/observed-client.ts'
import { fingerprintOf, startSaslServices } from '@causeway/testkit/irc/sasl-services.ts'
import { makeSelfSigned } from '@causeway/testkit/certificates.ts'
import type { SaslSettings } from './options.ts'

describe('TLS, SASL and addresses', { concurrency: 4, skip: noIrcServers }, () => {
  test('a certificate that verifies is let in, any other refused before a word is said', async () => {
    await using server = await startInspircd()
    const { host, tlsPort: port, certificate } = server
    await using us = await startObservedClient(server, 'secure', {
      server: { host, port, tls: { verify: true, ca: certificate } },
    })
    assert.equal(us.client.state, 'registered')
    await using wary = observeClient(server, 'wary', { server: { host, port, tls: { verify: true } } })
    wary.client.start()
    const end = await wary.waitFor('disconnected')
    assert.deepEqual([end.reason, end.retryable], ['tls-failed', true])
    await using named = observeClient(server, 'named', {
      server: { host, port, tls: { verify: true, ca: certificate, serverName: 'irc.other.test' } },
    })
    named.client.start()
    assert.equal((await named.waitFor('disconnected')).reason, 'tls-failed')
    await using blind = await startObservedClient(server, 'blind', {
      server: { host, port, tls: { verify: false } },
    })
    assert.equal(blind.client.state, 'registered')
  })

  test('SASL PLAIN logs in, and the account is seen by others', async () => {
    await using server = await startInspircd()
    await using services = await startSaslServices(server, { passwords: { hub: 'secret' } })
    await using other = await startObservedClient(server, 'other')
    await other.client.join('#acc')
    const sasl: SaslSettings = { mechanism: 'PLAIN', account: 'hub', password: 'secret', required: true }
    await using us = await startObservedClient(server, 'bridge', { sasl })
    const registered = await us.waitFor('registered')
    assert.equal(registered.account, 'hub')
    assert.deepEqual(services.attempts, ['PLAIN hub ok'])
    await us.client.join('#acc')
    const join = await other.waitFor('join', (event) => event.from.nick === 'bridge')
    assert.equal(join.account, 'hub')
    await us.client.say({ kind: 'message', target: '#acc', text: 'me' })
    assert.equal((await other.waitFor('message')).account, 'hub')
  })

  test('SASL EXTERNAL logs in by the client’s certificate', async () => {
    await using server = await startInspircd()
    const own = makeSelfSigned('hub.causeway.test')
    await using services = await startSaslServices(server, {
      passwords: {},
      fingerprints: { [fingerprintOf(own.certificate)]: 'hub' },
    })
    const { host, tlsPort: port, certificate: ca } = server
    const tls = { verify: true, ca, certificate: own.certificate, key: own.key }
    await using us = await startObservedClient(server, 'bridge', {
      server: { host, port, tls },
      sasl: { mechanism: 'EXTERNAL', required: true },
    })
    assert.equal((await us.waitFor('registered')).account, 'hub')
    assert.deepEqual(services.attempts, ['EXTERNAL hub ok'])
  })

  test('a wrong password ends the attempts after three, and is never followed by an anonymous login', async () => {
    await using server = await startInspircd()
    await using services = await startSaslServices(server, { passwords: { hub: 'secret' } })
    const sasl: SaslSettings = { mechanism: 'PLAIN', account: 'hub', password: 'wrong', required: true }
    await using us = observeClient(server, 'bridge', { sasl })
    us.client.start()
    await us.waitFor('disconnected', (event) => !event.retryable)
    assert.deepEqual(
      us.events.map((event) => (event.type === 'disconnected' ? event.reason : event.type)),
      ['sasl-failed', 'sasl-failed', 'sasl-failed'],
    )
    assert.equal(services.attempts.length, 3)
    await using lax = await startObservedClient(server, 'lax', { sasl: { ...sasl, required: false } })
    assert.equal((await lax.waitFor('registered')).account, undefined)
  })

  test('where the server has no SASL, a required login fails closed', async () => {
    const sasl: SaslSettings = { mechanism: 'PLAIN', account: 'hub', password: 'secret', required: true }
    for (const start of [startInspircd, startNgircd]) {
      await using server = await start()
      await using us = observeClient(server, 'bridge', { sasl })
      us.client.start()
      const end = await us.waitFor('disconnected')
      assert.deepEqual([end.reason, end.retryable], ['sasl-unavailable', true])
      await using lax = await startObservedClient(server, 'lax', { sasl: { ...sasl, required: false } })
      assert.equal(lax.client.state, 'registered')
    }
  })

  test('a server password is given; a wrong one is not tried for ever', async () => {
    await using server = await startNgircd({ password: 'sesame' })
    const { host, port } = server
    await using us = await startObservedClient(server, 'bridge', {
      server: { host, port, password: 'sesame' },
    })
    assert.equal(us.client.state, 'registered')
    await using wrong = observeClient(server, 'wrong', { server: { host, port, password: 'open' } })
    wrong.client.start()
    const end = await wrong.waitFor('disconnected')
    assert.deepEqual([end.reason, end.retryable], ['password-refused', false], end.detail)
  })

  test('a connection leaves from the address it is told to', async () => {
    await using server = await startNgircd()
    const { host, port } = server
    await using us = await startObservedClient(server, 'bridge', {
      server: { host, port, localAddress: '127.0.0.77' },
    })
    await us.client.join('#where')
    assert.equal((await us.waitFor('join')).from.host, '127.0.0.77')
  })
})
