import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChannelHistory } from './channel-history.ts'
import { DEFAULT_ISUPPORT } from './client/isupport.ts'
import type { IrcEvent, TextEvent } from './client/events.ts'

// Only Ergo keeps a history, which cannot be installed everywhere: what it would answer is played here. The journey of
// test/journeys has the real one where ERGO_BIN names it.

const START = Date.parse('2026-01-01T00:00:00Z')

function line(n: number, more: Partial<TextEvent> = {}): TextEvent {
  return {
    ...{ type: 'message', channel: '#c', target: '#c', status: '', text: `line ${n}`, replyTo: undefined },
    ...{ from: { nick: 'bob', user: 'b', host: 'h', isServer: false }, own: false, account: undefined },
    ...{ time: START + n, msgid: `m${n}`, batch: undefined, tags: new Map() },
    ...more,
  } as TextEvent
}

const join = { type: 'join', channel: '#c', own: true, time: START } as unknown as IrcEvent

interface Play {
  readonly history: ChannelHistory
  readonly told: string[]
  readonly asked: string[]
  readonly cut: number[]
  /** Lines the server keeps. */
  readonly kept: TextEvent[]
  readonly settled: () => Promise<void>
}

function play(now = START + 1_000_000, onAsked: (history: ChannelHistory) => void = () => undefined): Play {
  const [told, asked, cut, kept]: [string[], string[], number[], TextEvent[]] = [[], [], [], []]
  const history: ChannelHistory = new ChannelHistory({
    channel: '#c',
    clock: { now: () => now },
    client: {
      hasHistory: true,
      isupport: DEFAULT_ISUPPORT,
      requestHistory: async (_channel, since, limit) => {
        asked.push(since)
        onAsked(history)
        const [kind, value = ''] = since.split('=')
        const from =
          kind === 'msgid'
            ? kept.findIndex(({ msgid }) => msgid === value) + 1
            : kept.findIndex(({ time }) => time! > Date.parse(value))
        for (const one of from === -1 ? [] : kept.slice(from, from + limit))
          assert.equal(history.take({ ...one, batch: 'chathistory' }), true)
        return { kind: 'accepted' }
      },
    },
    tell: (event, isHistory) => told.push(`${isHistory ? 'then' : 'now'} ${(event as TextEvent).text}`),
    isOther: (nick) => nick === 'bob',
    onCut: (lines) => cut.push(lines),
  })
  return {
    ...{ history, told, asked, cut, kept },
    settled: async () => {
      while (history.isFetching) await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

test('what was said meanwhile is told page by page, in order, before what is said now', async () => {
  const { history, told, asked, kept, settled } = play(undefined, (one) => {
    if (asked.length === 1) one.take(line(1000))
  })
  for (let n = 1; n <= 250; n++) kept.push(line(n))
  history.resume(START + 7, [])
  history.take(join)
  assert.equal(history.isFetching, true, 'nobody speaks before it is told')
  await settled()
  // The one heard last comes again; its id tells.
  const missed = Array.from({ length: 244 }, (_, n) => `then line ${n + 7}`)
  assert.deepEqual(told, [...missed, 'now line 1000'])
  assert.deepEqual(asked, ['timestamp=2026-01-01T00:00:00.006Z', 'msgid=m106', 'msgid=m206'])
})

test('after a reconnection it goes on behind the last line heard; where nothing was ever heard, nothing is asked', async () => {
  const { history, asked, kept, settled } = play()
  history.take(join)
  await settled()
  assert.deepEqual(asked, [])
  assert.equal(history.take(line(5)), false)
  kept.push(line(5), line(6))
  history.take(join)
  await settled()
  assert.deepEqual(asked, ['timestamp=2026-01-01T00:00:00.004Z'])
})

test('a line of ours in doubt is found and not told as somebody else’s, unless it is', async () => {
  const { history, told, kept, settled } = play()
  const ours = { nick: 'alice', user: 'a', host: 'h', isServer: false }
  const service = { ...ours, nick: 'HistServ' }
  kept.push(line(0, { text: 'bob joined the channel', from: service, time: START + 1 }))
  kept.push(line(1, { text: 'mine' }), line(2, { text: 'mine', from: ours }), line(3, { text: 'lost?' }))
  history.resume(START, ['mine', 'never said'])
  history.take(join)
  await settled()
  assert.deepEqual(told, ['then mine', 'then lost?'], 'Bob is there and said the same')
  assert.equal(history.findSaid('mine'), 'm2')
  assert.equal(history.findSaid('never said'), undefined)
})

test('it is bounded: not older than a day, no more than 2,000 lines, and no loop where ids do not advance', async () => {
  const day = 86_400_000
  const old = play(START + 3 * day)
  old.history.resume(START, [])
  old.history.take(join)
  await old.settled()
  assert.deepEqual(old.asked, ['timestamp=2026-01-02T23:59:59.999Z'])
  const long = play()
  for (let n = 1; n <= 2_500; n++) long.kept.push(line(n))
  long.history.resume(START, [])
  long.history.take(join)
  await long.settled()
  assert.deepEqual([long.told.length, long.cut], [2_000, [2_000]])
  const stuck = play()
  for (let n = 1; n <= 300; n++) stuck.kept.push(line(n, { msgid: 'same' }))
  stuck.history.resume(START, [])
  stuck.history.take(join)
  await stuck.settled()
  assert.ok(stuck.asked.length <= 3)
})
