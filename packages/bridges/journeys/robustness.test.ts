import assert from 'node:assert/strict'
import type { TestIrcClient } from '@causeway/testkit/irc/irc-client.ts'
import type { MatrixPerson } from '@causeway/testkit/matrix-person.ts'
import { startHubChild } from './child.ts'
import { describeJourneys } from './scene.ts'
import { linkedRoom } from './world.ts'

const number = (text: string): number => Number(/(\d+)$/.exec(text)?.[1])

function isAscending(values: readonly number[]): boolean {
  return values.every((value, index) => index === 0 || values[index - 1]! < value)
}

/** Waits for an event for as long as there is progress: how long a storm takes is the machine's business. */
async function whileComing<T>(count: () => number, wait: () => Promise<T>): Promise<T> {
  for (;;) {
    const before = count()
    try {
      return await wait()
    } catch (error) {
      if (count() === before) throw error
    }
  }
}

/** Everything `bob` reads in a channel that begins with `word`. */
function read(bob: TestIrcClient, channel: string, word: string): string[] {
  return bob.texts(channel).flatMap((text) => {
    const at = text.indexOf(`${word} `)
    return at === -1 || text.includes('⚠') ? [] : [text.slice(at)]
  })
}

/** What the room was told may not have arrived, as a number of messages. */
function uncertain(alice: MatrixPerson, roomId: string): number {
  return alice.bodies(roomId).reduce((sum, body) => {
    if (!body.startsWith('⚠')) return sum
    return sum + Number(/^⚠ (\d+) messages/.exec(body)?.[1] ?? 1)
  }, 0)
}

describeJourneys('storms', {}, (stage) => {
  const { journey } = stage
  // A Synapse on two busy cores takes a tenth of a second for an event.
  const LINES = stage.host.name === 'Synapse' ? 150 : 1000
  journey(`${LINES} lines of the channel at once and words against the stream, all in order`, async () => {
    await using s = await stage.scene('rich', 'storm', 'puppets')
    const { alice, bob, roomId } = s
    for (let n = 1; n <= LINES; n++) bob.say('#storm', `line ${n}`)
    const talking = (async () => {
      for (let n = 1; n <= 100; n++) await alice.say(roomId, `word ${n}`)
    })()
    await whileComing(
      () => alice.timeline(roomId).length,
      () => alice.waitForText(roomId, `line ${LINES}`),
    )
    await talking
    await whileComing(
      () => bob.seen.length,
      () => bob.waitFor('message', (data) => data['message'] === 'word 100'),
    )
    const lines = alice.bodies(roomId).filter((body) => body.startsWith('line '))
    assert.deepEqual(
      lines,
      Array.from({ length: LINES }, (_, n) => `line ${n + 1}`),
    )
    assert.deepEqual(
      read(bob, '#storm', 'word'),
      Array.from({ length: 100 }, (_, n) => `word ${n + 1}`),
    )
  })

  for (const server of ['rich', 'bare'] as const) {
    journey(
      `the IRC server restarts in the middle: nothing twice, nothing lost unsaid (${server})`,
      async () => {
        await using s = await stage.scene(server, `restart${server}`, 'puppets')
        const { alice, bob, roomId, channel } = s
        for (let n = 1; n <= 10; n++) await alice.say(roomId, `word ${n}`)
        await bob.waitFor('message', (data) => data['message'] === 'word 3')
        await stage.world.irc[server].kill()
        for (let n = 11; n <= 20; n++) await alice.say(roomId, `word ${n}`)
        await stage.world.irc[server].start()
        await using again = await stage.world.ircPerson(server, bob.nick)
        await again.join(channel)
        await alice.say(roomId, 'word 21')
        // What was said while the channel stood empty went to nobody but is not missing on the wire.
        await again.waitFor('message', (data) => data['message'] === 'word 21')
        const numbers = [...read(bob, channel, 'word'), ...read(again, channel, 'word')].map(number)
        assert.ok(isAscending(numbers), `in order and once: ${numbers.join()}`)
        again.say(channel, 'back again')
        await alice.waitForText(roomId, 'back again')
        assert.ok(uncertain(alice, roomId) <= 1)
      },
    )

    journey(
      `the hub is killed again and again in mid-flow: nothing twice, nothing lost unsaid (${server})`,
      async () => {
        const channel = `#kill${server}`
        await using bob = await stage.world.ircPerson(server, `bk${server}`)
        await using alice = await stage.world.person('alice')
        await bob.join(channel)
        let child = await startHubChild(stage.world.spare[server])
        await using end = new AsyncDisposableStack()
        end.defer(() => child.kill())
        const roomId = await linkedRoom(
          alice,
          `@spare${server}:${stage.world.host.serverName}`,
          `${server} ${channel}`,
        )
        let said = 0
        for (let round = 0; round < 4; round++) {
          const saying = (async () => {
            for (let n = 0; n < 15; n++) await alice.say(roomId, `word ${++said}`)
          })()
          const from = said
          for (let n = 0; n < 10; n++) bob.say(channel, `line ${round * 10 + n}`)
          await bob
            .waitFor(
              'message',
              ({ message }) => / word \d+$/.test(` ${String(message)}`) && number(String(message)) > from + 2,
            )
            .catch(() => undefined)
          await child.kill()
          await saying
          child = await startHubChild(stage.world.spare[server])
          // What is said while Synapse takes a hub for recovered may stay with it until the next failure, and come
          // behind what was said later: there nobody speaks until it has given us the last word.
          if (stage.host.name === 'Synapse') {
            const last = `word ${said}`
            await bob
              .waitFor('message', ({ message }) => String(message).endsWith(last))
              .catch(() => undefined)
            // And what is said first after that may stay with it: something that is not counted.
            await alice.say(roomId, `settled ${round}`)
            await bob
              .waitFor('message', ({ message }) => String(message).endsWith(`settled ${round}`))
              .catch(() => undefined)
          }
        }
        await alice.say(roomId, `word ${++said}`)
        await bob.waitFor('message', (data) => String(data['message']).endsWith(`word ${said}`))
        // Its warnings come a moment after.
        bob.say(channel, 'line 1000')
        await alice.waitForText(roomId, 'line 1000')
        const numbers = read(bob, channel, 'word').map(number)
        assert.ok(isAscending(numbers), `in order and once beside ${stage.host.name}: ${numbers.join()}`)
        const missing = Array.from({ length: said }, (_, n) => n + 1).filter((n) => !numbers.includes(n))
        if (missing.length > 0) {
          const isTold = (): boolean => uncertain(alice, roomId) >= missing.length
          await alice.waitFor(roomId, `being told of ${missing.join()}`, isTold)
        }
        assert.ok(missing.length <= 4, `at most one a kill may be in doubt: ${missing.join()}`)
        const lines = alice
          .bodies(roomId)
          .filter((body) => body.startsWith('line '))
          .map(number)
        assert.ok(isAscending(lines), `what was heard appears once and in order: ${lines.join()}`)
        await alice.say(roomId, '!irc unlink')
        await bob.waitFor('part', (data) => String(data['nick']).startsWith('spare'))
      },
    )
  }
})
