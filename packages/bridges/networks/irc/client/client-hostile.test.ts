import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { observeClient } from '@causeway/testkit/irc/observed-client.ts'

interface Hostile extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly received: string[]
}

/** A server that does to each connection what the test likes. Not a stand-in for a real one: no real one does this. */
async function hostileServer(act: (socket: Socket) => void): Promise<Hostile> {
  const sockets = new Set<Socket>()
  const received: string[] = []
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => received.push(chunk.toString()))
    act(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address !== 'string')
  return {
    host: '127.0.0.1',
    port: address.port,
    received,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const WELCOME =
  ':s CAP * LS :message-tags echo-message labeled-response batch\r\n:s 001 bridge :hi bridge!u@h\r\n:s 422 bridge :no motd\r\n'
const once1 = { timing: { backoff: 60_000, later: 60_000, quit: 100 } }

describe('a hostile server', () => {
  test('that refuses every nick is left after fifty', async () => {
    await using server = await hostileServer((socket) => {
      socket.on('data', (chunk) => {
        for (const nick of chunk.toString().matchAll(/NICK (\S+)/g))
          socket.write(`:s 433 * ${nick[1]} :in use\r\n`)
      })
    })
    await using us = observeClient(server, 'x', { ...once1, nickCandidates: (attempt) => `nick${attempt}` })
    us.client.start()
    assert.equal((await us.waitFor('disconnected')).reason, 'nick-refused')
    assert.equal(server.received.join('').match(/NICK/g)?.length, 50)
  })

  test('that never welcomes is left in time', async () => {
    await using server = await hostileServer(() => undefined)
    await using us = observeClient(server, 'x', { timing: { ...once1.timing, registration: 100 } })
    us.client.start()
    assert.equal((await us.waitFor('disconnected')).reason, 'registration-timeout')
  })

  test('that names people without end is left', async () => {
    await using server = await hostileServer((socket) => {
      socket.write(`${WELCOME}:bridge!u@h JOIN #a\r\n`)
      for (let at = 0; at < 3000; at++) socket.write(`:s 353 bridge = #a :n${at}a n${at}b n${at}c\r\n`)
    })
    await using us = observeClient(server, 'x', { ...once1, limits: { members: 1000 } })
    us.client.start()
    assert.equal((await us.waitFor('disconnected')).reason, 'misbehaving-server')
  })

  test('that pings without end gets a bounded number of answers', async () => {
    await using server = await hostileServer((socket) => {
      socket.write(`${WELCOME}${'PING :x\r\n'.repeat(100_000)}:bob!b@h PRIVMSG bridge :done\r\n`)
    })
    await using us = observeClient(server, 'x', {
      ...once1,
      // As good as no more than at once, however long the machine takes to read them.
      flood: { burst: 5, perSecond: 0.01, queueLimit: 10 },
    })
    us.client.start()
    await us.waitFor('message', (event) => event.text === 'done')
    assert.ok((server.received.join('').match(/PONG/g)?.length ?? 0) <= 15)
  })

  test('that sends a line of 20 MB costs no memory, and is understood afterwards', async () => {
    await using server = await hostileServer((socket) => {
      socket.write(`${WELCOME}:bob!b@h PRIVMSG bridge :`)
      for (let at = 0; at < 20; at++) socket.write(Buffer.alloc(1_000_000, 'x'))
      socket.write('\r\n:bob!b@h PRIVMSG bridge :done\r\n')
    })
    await using us = observeClient(server, 'x', once1)
    us.client.start()
    await us.waitFor('message')
    assert.deepEqual(
      us.events.flatMap((event) => (event.type === 'message' ? [event.text] : [])),
      ['done'],
    )
  })

  test('that talks nonsense is survived', async () => {
    const word = fc.oneof(
      fc.constantFrom(
        'bridge',
        '#a',
        '*',
        '+ref',
        '-ref',
        '@#a',
        '',
        ':',
        '+o-v',
        '@+bob!b@h',
        'CASEMAPPING=ascii',
      ),
      fc.string({ unit: 'grapheme-ascii', maxLength: 8 }),
    )
    const command = fc.constantFrom(
      ...'CAP AUTHENTICATE PING PONG KILL JOIN PART QUIT KICK NICK MODE TOPIC INVITE CHGHOST PRIVMSG NOTICE'.split(
        ' ',
      ),
      ...'TAGMSG BATCH ACK FAIL NOTE WARN 001 005 331 332 353 366 376 396 401 404 432 433 437 464 465 470'.split(
        ' ',
      ),
      ...'482 716 900 902 903 904 907 999 constructor __proto__'.split(' '),
    )
    const source = fc.constantFrom(
      '',
      ':s ',
      ':bridge!u@h ',
      ':bob!b@h ',
      ':bob ',
      ': ',
      '@label=1;batch=ref :bob ',
      '@time=x;msgid= ',
    )
    const cap = fc
      .constantFrom('LS', 'ACK', 'NAK', 'NEW', 'DEL', 'x')
      .map((sub) => `:s CAP * ${sub} :batch sasl x=y`)
    const line = fc.oneof(
      fc
        .tuple(source, command, fc.array(word, { maxLength: 5 }))
        .map(([from, verb, words]) => `${from}${verb} ${words.join(' ')}`),
      cap,
      fc.string({ unit: 'binary' }),
    )
    const lines = fc.sample(line, { numRuns: 20_000, seed: 7 }).map((one) => one.replace(/[\r\n]/g, ''))
    await using server = await hostileServer((socket) => {
      socket.write(WELCOME + lines.map((one) => `${one}\r\n`).join(''))
      socket.write(':bob!b@h PRIVMSG anybody :done\r\n')
    })
    // Faults of ours, if there were any, fail the test when the client is disposed of.
    await using us = observeClient(server, 'x', once1)
    us.client.start()
    await us.waitFor('message', (event) => event.text === 'done')
    assert.equal(us.client.state, 'registered')
  })

  test('that closes at once, again and again, is met with growing pauses', async () => {
    await using server = await hostileServer((socket) => socket.end())
    await using us = observeClient(server, 'x', { timing: { backoff: 1, backoffMax: 8 } })
    us.client.start()
    await us.waitFor('disconnected', () => us.events.length >= 6)
    const pauses = us.events.flatMap((event) => (event.type === 'disconnected' ? [event.retryInMs ?? 0] : []))
    assert.ok((pauses[0] ?? 9) <= 1 && (pauses[4] ?? 0) >= 4, pauses.join(' '))
  })
})
