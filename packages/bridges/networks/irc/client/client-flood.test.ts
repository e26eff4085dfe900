import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noIrcServers } from '@causeway/testkit/irc/irc-servers.ts'
import { startInspircd } from '@causeway/testkit/irc/inspircd.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { ircClient } from '@causeway/testkit/irc/irc-client.ts'
import { startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import { startObservedClient } from '@causeway/testkit/irc/observed-client.ts'
import type { RunningServer } from '@causeway/testkit/irc/server-process.ts'

const servers: { name: string; proof: string; start: () => Promise<RunningServer> }[] = [
  { name: 'InspIRCd', proof: 'echoed', start: () => startInspircd() },
  {
    name: 'InspIRCd without labels',
    proof: 'echoed',
    start: () => startInspircd({ without: ['ircv3_labeledresponse'] }),
  },
  {
    name: 'InspIRCd without echoes',
    proof: 'accepted',
    start: () => startInspircd({ without: ['ircv3_echomessage'] }),
  },
  {
    name: 'InspIRCd without tags',
    proof: 'echoed',
    start: () => startInspircd({ without: ['ircv3_ctctags', 'ircv3_labeledresponse'] }),
  },
  { name: 'ngIRCd', proof: 'accepted', start: () => startNgircd() },
]

describe('a thousand lines', { concurrency: 2, skip: noIrcServers }, () => {
  for (const { name, proof, start } of servers) {
    test(`each way at once on ${name}: all there, in order, once, and the limits kept`, async () => {
      await using server = await start()
      await using bob = await ircClient({ ...server, nick: 'bob' })
      await using us = await startObservedClient(server, 'bridge', {
        flood: { burst: 100, perSecond: 500, queueLimit: 1000 },
      })
      await bob.join('#flood')
      await us.client.join('#flood')
      const lines = Array.from({ length: 1000 }, (_, line) => `line ${line}`)
      const startedAt = performance.now()
      const said = lines.map((text) => us.client.say({ kind: 'message', target: '#flood', text }))
      for (const text of lines) bob.say('#flood', text)
      const outcomes = await Promise.all(said)
      const tookMs = performance.now() - startedAt
      await bob.waitFor('message', (data) => data['message'] === 'line 999' && data['nick'] === 'bridge')
      await us.waitFor('message', (event) => event.text === 'line 999')

      assert.deepEqual([...new Set(outcomes.map(({ kind }) => kind))], [proof])
      if (proof === 'echoed' && name !== 'InspIRCd without tags') {
        const ids = outcomes.map((outcome) => (outcome.kind === 'echoed' ? outcome.msgid : undefined))
        assert.equal(new Set(ids).size, 1000, 'each line has an id of its own')
        const seen = bob.seen.flatMap(({ type, data }) =>
          type === 'message' && data['nick'] === 'bridge'
            ? [(data['tags'] as Record<string, string>)['msgid']]
            : [],
        )
        assert.deepEqual(ids, seen, 'and it is the one the others see')
      }
      assert.deepEqual(
        bob.texts('#flood'),
        lines.map((text) => `bridge: ${text}`),
      )
      const heard = us.events.flatMap((event) => (event.type === 'message' ? [event.text] : []))
      assert.deepEqual(heard, lines)
      // 1,000 lines less the burst at 500 a second; a machine under load only makes it longer.
      assert.ok(tookMs >= 1780, `took ${tookMs} ms: faster than the limit allows`)
    })
  }

  test('the server’s own flood protection is not provoked by the ordinary limits', async () => {
    await using server = await startInspircd({ unlimited: false })
    await using bob = await ircClient({ ...server, nick: 'bob' })
    await using us = await startObservedClient(server, 'bridge', { flood: { burst: 4, perSecond: 10 } })
    await bob.join('#slow')
    await us.client.join('#slow')
    const said = Array.from({ length: 12 }, (_, line) =>
      us.client.say({ kind: 'message', target: '#slow', text: `${line}` }),
    )
    assert.deepEqual([...new Set((await Promise.all(said)).map(({ kind }) => kind))], ['echoed'])
    await bob.waitFor('message', (data) => data['message'] === '11')
    assert.equal(bob.texts('#slow').length, 12)
    assert.equal(us.client.state, 'registered')
  })

  test('more lines than the queue holds are handed back, the rest goes out', async () => {
    await using server = await startNgircd()
    let standsAt: number | undefined
    await using us = await startObservedClient(server, 'bridge', {
      clock: { ...systemClock, monotonic: () => standsAt ?? systemClock.monotonic() },
      flood: { burst: 5, perSecond: 500, queueLimit: 50 },
    })
    await us.client.join('#full')
    // All in one moment, however long this machine takes for it.
    standsAt = systemClock.monotonic()
    const said = Array.from({ length: 100 }, (_, line) =>
      us.client.say({ kind: 'message', target: '#full', text: `${line}` }),
    )
    standsAt = undefined
    const kinds = (await Promise.all(said)).map((outcome) =>
      'reason' in outcome ? outcome.reason : outcome.kind,
    )
    const refusedFrom = kinds.indexOf('queue-full')
    assert.ok(refusedFrom >= 50 && refusedFrom <= 56, `${refusedFrom}`)
    assert.deepEqual([...new Set(kinds.slice(0, refusedFrom))], ['accepted'])
    assert.deepEqual([...new Set(kinds.slice(refusedFrom))], ['queue-full'])
  })
})

test('capabilities that come and go while connected are followed', { skip: noIrcServers }, async () => {
  await using server = await startInspircd()
  await using oper = await ircClient({ ...server, nick: 'oper' })
  await using us = await startObservedClient(server, 'bridge')
  await us.client.join('#caps')
  oper.raw(`OPER ${server.operator.name} ${server.operator.password}`)
  const say = async (text: string) => (await us.client.say({ kind: 'message', target: '#caps', text })).kind
  assert.equal(await say('rich'), 'echoed')
  oper.raw('UNLOADMODULE ircv3_echomessage')
  await us.waitFor('capabilities', (event) => !event.capabilities.has('echo-message'))
  assert.equal(await say('poorer'), 'accepted')
  oper.raw('UNLOADMODULE ircv3_labeledresponse')
  await us.waitFor('capabilities', (event) => !event.capabilities.has('labeled-response'))
  assert.equal(await say('poor'), 'accepted')
  const before = us.events.length
  oper.raw('LOADMODULE ircv3_echomessage')
  await us.waitFor('capabilities', (event) => event.capabilities.has('echo-message'), before)
  assert.equal(await say('richer'), 'echoed')
})
