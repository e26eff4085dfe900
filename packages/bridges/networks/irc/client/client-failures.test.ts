import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noIrcServers } from '@causeway/testkit/irc/irc-servers.ts'
import { startInspircd } from '@causeway/testkit/irc/inspircd.ts'
import { ircClient } from '@causeway/testkit/irc/irc-client.ts'
import { startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import { leapingClock } from '@causeway/testkit/leaping-clock.ts'
import { observeClient, startObservedClient } from '@causeway/testkit/irc/observed-client.ts'
import { startSaslServices } from '@causeway/testkit/irc/sasl-services.ts'
import type { RunningServer } from '@causeway/testkit/irc/server-process.ts'
import type { SendOutcome } from './deliveries.ts'

const MINUTE = 60_000

type Operated = RunningServer & { readonly operator: { readonly name: string; readonly password: string } }

const servers: { name: string; start: () => Promise<Operated>; ban: string }[] = [
  { name: 'InspIRCd', start: startInspircd, ban: 'KLINE causeway@* 60 :no bridges here' },
  { name: 'ngIRCd', start: startNgircd, ban: 'KLINE *!~causeway@* 60 :no bridges here' },
]

for (const { name, start, ban } of servers) {
  describe(`on ${name}`, { concurrency: 4, skip: noIrcServers }, () => {
    const operator = async (server: Operated) => {
      const oper = await ircClient({ ...server, nick: 'oper' })
      oper.raw(`OPER ${server.operator.name} ${server.operator.password}`)
      await oper.waitFor('mode', (data) => JSON.stringify(data).includes('+o'))
      return oper
    }

    test('a kill is understood, and the client comes back to its channels', async () => {
      await using server = await start()
      await using oper = await operator(server)
      await using us = await startObservedClient(server, 'bridge')
      await us.client.join('#home')
      await us.client.join('#second')
      await oper.join('#home')
      oper.raw('KILL bridge :begone')
      const end = await us.waitFor('disconnected')
      assert.deepEqual([end.reason, end.retryable], ['killed', true], end.detail)
      assert.match(end.detail, /begone/)
      await oper.waitFor('join', (data) => data['nick'] === 'bridge' && data['channel'] === '#home')
      await us.waitFor('names', (event) => event.channel === '#second', us.events.indexOf(end))
      assert.deepEqual(us.client.channels.toSorted(), ['#home', '#second'])
      assert.notEqual(
        (await us.client.say({ kind: 'message', target: '#home', text: 'back' })).kind,
        'unsent',
      )
    })

    test('a server ban is an end for good', async () => {
      await using server = await start()
      await using oper = await operator(server)
      await using us = await startObservedClient(server, 'bridge')
      oper.raw(ban)
      const end = await us.waitFor('disconnected')
      // ngIRCd throws out with the words of a kill, and refuses the return with those of the ban.
      const last = end.reason === 'killed' ? await us.waitFor('disconnected', (event) => event !== end) : end
      assert.deepEqual([last.reason, last.retryable], ['banned', false], last.detail)
      assert.equal(us.client.state, 'stopped')
    })

    test('a channel that bans us while we are away refuses the return, and says so once', async () => {
      await using server = await start()
      await using oper = await operator(server)
      await oper.join('#club')
      await using us = await startObservedClient(server, 'bridge')
      await us.client.join('#club')
      oper.raw('MODE #club +b bridge!*@*')
      await us.waitFor('mode')
      us.client.reconnect('test')
      const refused = await us.waitFor('rejoin-refused')
      assert.deepEqual([refused.channel, refused.code], ['#club', '474'])
      us.client.reconnect('test')
      await us.waitFor('registered', () => true, us.events.indexOf(refused))
      assert.equal(us.events.filter((event) => event.type === 'rejoin-refused').length, 1)
    })

    test('a server killed in mid-conversation: order kept, nothing doubled, nothing unsent was sent', async () => {
      await using server = await start()
      const early = await ircClient({ ...server, nick: 'early' })
      await using us = await startObservedClient(server, 'bridge', {
        flood: { burst: 20, perSecond: 400, queueLimit: 1000 },
      })
      await early.join('#flow')
      await us.client.join('#flow')
      const say = (line: number) => us.client.say({ kind: 'message', target: '#flow', text: `line ${line}` })
      const all = Array.from({ length: 400 }, (_, line) => line)
      const first: Promise<SendOutcome[]> = Promise.all(all.map(say))
      await early.waitFor('message', (data) => data['message'] === 'line 100')
      await server.kill()
      const outcomes = await first
      const kinds = outcomes.map(({ kind }) => kind)
      const unsent = all.filter((line) => kinds[line] === 'unsent')
      const uncertain = all.filter((line) => kinds[line] === 'uncertain')
      assert.ok(unsent.length > 0, 'the kill came too late to show anything')
      assert.deepEqual(unsent, all.slice(-unsent.length), 'what never left is the tail')
      assert.equal(
        kinds.indexOf('uncertain'),
        uncertain.length === 0 ? -1 : all.length - unsent.length - uncertain.length,
      )

      const lost = await us.waitFor('disconnected')
      await server.start()
      await us.waitFor('registered', () => true, us.events.indexOf(lost))
      await using late = await ircClient({ ...server, nick: 'late' })
      await late.join('#flow')
      if (!us.client.channels.includes('#flow'))
        await us.waitFor('join', (e) => e.own, us.events.indexOf(lost))
      for (const { kind } of await Promise.all(unsent.map(say))) assert.match(kind, /echoed|accepted/)
      await late.waitFor('message', (data) => data['message'] === 'line 399')

      const received = [...early.texts('#flow'), ...late.texts('#flow')].map((text) =>
        Number(text.split(' ').at(-1)),
      )
      assert.deepEqual(
        received,
        received.toSorted((a, b) => a - b),
        'in order',
      )
      assert.equal(new Set(received).size, received.length, 'none doubled')
      const missing = all.filter((line) => !received.includes(line))
      const proven = missing.filter((line) => kinds[line] === 'echoed' || kinds[line] === 'accepted')
      // The server was killed between writing our proof and the others' copies: a handful at most.
      assert.ok(proven.length <= 5, `${proven.length} proven lines never arrived`)
      for (const line of missing) assert.notEqual(kinds[line], 'unsent')
    })

    test('a frozen server is noticed, and returned to when it thaws', async () => {
      await using server = await start()
      const clock = leapingClock()
      await using us = await startObservedClient(server, 'bridge', {
        clock,
        timing: { idle: MINUTE, pong: MINUTE, registration: MINUTE, delivery: 60 * MINUTE, reclaim: 0 },
      })
      await us.client.join('#ice')
      server.freeze()
      const frozen = us.events.length
      const said = us.client.say({ kind: 'message', target: '#ice', text: 'anybody?' })
      // It waits a minute until it asks, one for an answer, and one each time for a welcome.
      const passing = setInterval(() => clock.leap(MINUTE), 100)
      try {
        const end = await us.waitFor('disconnected', () => true, frozen)
        assert.equal(end.reason, 'silent')
        assert.deepEqual(await said, { kind: 'uncertain', reason: 'disconnected' })
        await us.waitFor('disconnected', (event) => event.reason === 'registration-timeout')
      } finally {
        clearInterval(passing)
      }
      const end = us.events[frozen]!
      server.thaw()
      await us.waitFor('join', (event) => event.own && event.channel === '#ice', us.events.indexOf(end))
    })

    test('a server that is away is tried again, slower each time, until it is there', async () => {
      await using server = await start()
      await server.stop()
      await using us = observeClient(server, 'bridge', { timing: { backoff: 20, backoffMax: 160 } })
      us.client.start()
      assert.deepEqual(await us.client.say({ kind: 'message', target: '#x', text: 'x' }), {
        kind: 'unsent',
        reason: 'not-connected',
      })
      await us.waitFor('disconnected', () => us.events.length >= 6)
      const pauses = us.events.flatMap((event) =>
        event.type === 'disconnected' ? [event.retryInMs ?? 0] : [],
      )
      for (const [index, pause] of pauses.entries()) {
        const base = Math.min(160, 20 * 2 ** index)
        assert.ok(pause >= base / 2 - 1 && pause <= base, `pause ${index}: ${pause}`)
      }
      await server.start()
      await us.waitFor('registered')
    })

    test('quitting sends what is queued first', async () => {
      await using server = await start()
      await using bob = await ircClient({ ...server, nick: 'bob' })
      const us = await startObservedClient(server, 'bridge', { flood: { burst: 10, perSecond: 200 } })
      await bob.join('#bye')
      await us.client.join('#bye')
      const said = Array.from({ length: 60 }, (_, line) =>
        us.client.say({ kind: 'message', target: '#bye', text: `${line}` }),
      )
      await us.client.quit('see you')
      const quit = await bob.waitFor('quit', (data) => data['nick'] === 'bridge')
      assert.match(String(quit['message']), /see you/)
      assert.equal(bob.texts('#bye').length, 60)
      const kinds = new Set((await Promise.all(said)).map(({ kind }) => kind))
      assert.ok(!kinds.has('unsent'))
      const end = await us.waitFor('disconnected')
      assert.deepEqual([end.reason, end.retryable], ['quit', false])
    })
  })
}

test('people lost in a netsplit are told from people who quit', { skip: noIrcServers }, async () => {
  await using server = await startInspircd()
  const services = await startSaslServices(server, { passwords: {} })
  await using us = await startObservedClient(server, 'bridge')
  await us.client.join('#split')
  await using bob = await ircClient({ ...server, nick: 'bob' })
  await bob.join('#split')
  const far = Array.from({ length: 50 }, (_, index) => `far${index}`)
  services.introduce(far, '#split')
  await us.waitFor('join', (event) => event.from.nick === 'far49')
  assert.equal(us.client.members('#split').length, 52)
  await services[Symbol.asyncDispose]()
  await us.waitFor('quit', (event) => event.from.nick === 'far49')
  bob.raw('QUIT :hub.example.org leaf.example.org')
  await us.waitFor('quit', (event) => event.from.nick === 'bob')
  const quits = us.events.flatMap((event) => (event.type === 'quit' ? [event] : []))
  assert.deepEqual(
    quits.map((event) => event.isNetsplit),
    [...far.map(() => true), false],
  )
  assert.deepEqual(
    us.client.members('#split').map((member) => member.nick),
    ['bridge'],
  )
})
