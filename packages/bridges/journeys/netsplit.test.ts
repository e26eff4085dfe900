import assert from 'node:assert/strict'
import { INSPIRCD_LEAF, startInspircd } from '@causeway/testkit/irc/inspircd.ts'
import type { Inspircd } from '@causeway/testkit/irc/inspircd.ts'
import { ircClient } from '@causeway/testkit/irc/irc-client.ts'
import type { TestIrcClient } from '@causeway/testkit/irc/irc-client.ts'
import { leapingClock } from '@causeway/testkit/leaping-clock.ts'
import { NGIRCD_LEAF, startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import type { Ngircd } from '@causeway/testkit/irc/ngircd.ts'
import type { SeenEvent } from '@causeway/testkit/matrix-person.ts'
import { textOf } from '@causeway/testkit/text-of.ts'
import { describeJourneys } from './scene.ts'

// Networks of two real servers that are linked, parted, and linked again.

const PEOPLE = 12

interface LinkedServer {
  readonly server: Inspircd | Ngircd
  /** An operator of the leaf, who links and parts. */
  readonly operator: TestIrcClient
  readonly link: string
  readonly part: string
}

const LEAVES: Record<'rich' | 'bare', (hub: Inspircd | Ngircd) => Promise<LinkedServer>> = {
  rich: async (hub) => {
    const server = await startInspircd({ leafOf: hub })
    const operator = await becomeOperator(server)
    return { server, operator, link: 'CONNECT irc.causeway.test', part: 'SQUIT irc.causeway.test :apart' }
  },
  bare: async (hub) => {
    const server = await startNgircd({ leafOf: hub })
    const operator = await becomeOperator(server)
    return { server, operator, link: 'CONNECT bare.causeway.test', part: 'SQUIT bare.causeway.test :apart' }
  },
}

async function becomeOperator(server: Inspircd | Ngircd): Promise<TestIrcClient> {
  const operator = await ircClient({ host: server.host, port: server.port, nick: 'leafoper' })
  operator.raw(`OPER ${server.operator.name} ${server.operator.password}`)
  await operator.waitFor('mode', (data) => JSON.stringify(data).includes('+o'))
  return operator
}

const memberships = (events: readonly SeenEvent[]): string[] =>
  events
    .filter(({ type }) => type === 'm.room.member')
    .map(({ state_key: key = '', content }) => `${key} ${textOf(content['membership'])}`)

/** Longer than any machine takes for what happens meanwhile; then the clock is set ahead. */
const ABSENCE_MS = 600_000
const clock = leapingClock({ date: 'stays' })
const options = { only: 'Causeway', clock, irc: { absence: ABSENCE_MS } }

describeJourneys('a network of two servers', options, (stage) => {
  for (const kind of ['rich', 'bare'] as const) {
    stage.journey(
      `a netsplit neither floods the room nor loses anybody; who does not come back leaves later (${kind})`,
      async () => {
        await using s = await stage.scene(kind, `split${kind}`, 'puppets eager')
        const { alice, bob, roomId, channel, bobReads } = s
        await alice.say(roomId, 'hello')
        await bobReads('hello')
        const leaf = await LEAVES[kind](stage.world.irc[kind])
        await using undo = new AsyncDisposableStack()
        undo.use(leaf.server)
        undo.use(leaf.operator)
        const people = await Promise.all(
          Array.from({ length: PEOPLE }, (_, n) =>
            ircClient({ host: leaf.server.host, port: leaf.server.port, nick: `far${kind}${n}` }),
          ),
        )
        for (const person of people) {
          undo.use(person)
          await person.join(channel)
        }
        const ghostOf = (n: number): string => `@_bridge_irc_${kind}_far${kind}${n}:localhost`
        const joined = async (): Promise<string[]> =>
          (await alice.joined(roomId)).filter((id) => id.includes(`_far${kind}`))
        const count = (type: string): number =>
          bob.seen.filter((one) => one.type === type && String(one.data['nick']).startsWith(`far${kind}`))
            .length
        const all = (type: string, wanted: number): Promise<unknown> =>
          bob.waitFor(type, () => count(type) >= wanted)

        leaf.operator.raw(leaf.link)
        await all('join', PEOPLE)
        people[0]!.say(channel, 'hello from afar')
        await alice.waitForText(roomId, 'hello from afar')
        await alice.waitFor(
          roomId,
          'everybody from afar',
          () =>
            memberships(alice.timeline(roomId)).filter((one) => one.includes(`_far${kind}`)).length ===
            PEOPLE,
        )
        const before = alice.timeline(roomId).length

        leaf.operator.raw(leaf.part)
        await all('quit', PEOPLE)
        bob.say(channel, 'where are they?')
        await alice.waitForText(roomId, 'where are they?')
        await alice.say(roomId, 'no idea')
        await bobReads('no idea')
        await people[1]!.quit()
        leaf.operator.raw(leaf.link)
        await all('join', 2 * PEOPLE - 1)
        people[0]!.say(channel, 'we are back')
        const back = await alice.waitForText(roomId, 'we are back')
        assert.equal(back.sender, ghostOf(0))
        assert.deepEqual(memberships(alice.timeline(roomId).slice(before)), [], 'the room saw nothing of it')
        assert.equal((await joined()).length, PEOPLE)

        // Who did not come back is gone after a while; all others stay.
        clock.leap(ABSENCE_MS)
        await alice.waitFor(
          roomId,
          'the one who went home meanwhile leaving',
          ({ state_key: key, content }) => key === ghostOf(1) && content['membership'] === 'leave',
        )
        people[2]!.say(channel, 'one is missing')
        await alice.waitForText(roomId, 'one is missing')
        assert.deepEqual(memberships(alice.timeline(roomId).slice(before)), [`${ghostOf(1)} leave`])

        // The other server dies: nobody of it comes back, and all leave.
        await leaf.server.kill()
        await all('quit', 2 * PEOPLE - 1)
        bob.say(channel, 'gone again')
        // The hub has seen it as well then.
        await alice.waitForText(roomId, 'gone again')
        clock.leap(ABSENCE_MS)
        await alice.waitFor(
          roomId,
          'all of them leaving',
          () =>
            memberships(alice.timeline(roomId).slice(before)).filter((one) => one.endsWith(' leave'))
              .length === PEOPLE,
        )
        assert.deepEqual(await joined(), [])
        await alice.say(roomId, 'so quiet')
        await bobReads('so quiet')
      },
    )
  }
})

// The names by which the servers know each other.
assert.equal(INSPIRCD_LEAF, NGIRCD_LEAF)
