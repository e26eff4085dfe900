import assert from 'node:assert/strict'
import { it } from 'node:test'
import { registerUser, type TestUser } from '@causeway/testkit/matrix-client.ts'
import { textOf } from '@causeway/testkit/text-of.ts'
import { at, eventually, readBack } from './rooms.ts'
import type { Side } from './two-servers.ts'

const MESSAGES = 1_000
/** Said at once: each voice has its own order, and the room's is its server's matter. */
const VOICES = 10

async function sayMany(user: TestUser, roomId: string): Promise<void> {
  const speak = async (_: unknown, voice: number): Promise<void> => {
    for (let line = 0; line < MESSAGES / VOICES; line++) {
      const path = `${at(roomId)}/send/m.room.message/${voice}-${line}`
      await user.call('PUT', path, { msgtype: 'm.text', body: bodyOf(voice, line) })
    }
  }
  await Promise.all(Array.from({ length: VOICES }, speak))
}

const bodyOf = (voice: number, line: number): string => `voice ${voice}, line ${line}`

/** Whoever comes late reads what was before, fetched from the other server as they go back. */
export function tellOfHistory(sides: () => readonly [hosts: Side, guests: Side]): void {
  it(`a newcomer reads ${MESSAGES} messages that were there before them, back to the beginning`, async () => {
    const [hosts, guests] = sides()
    // Neither keeps syncing: only the history matters here.
    const hanna = await registerUser(hosts.url, 'hanna-old')
    const gero = await registerUser(guests.url, 'gero-new')
    const room = await hanna.call('POST', '/createRoom', { preset: 'public_chat' })
    const roomId = room['room_id'] as string
    await sayMany(hanna, roomId)
    await gero.call('POST', `/join/${encodeURIComponent(roomId)}?via=${hosts.serverName}`, {})
    const events = await eventually('the beginning of the room', async () => {
      const read = await readBack(gero, roomId)
      return read.at(-1)?.type === 'm.room.create' && read
    })
    const bodies = events
      .filter(({ type }) => type === 'm.room.message')
      .map(({ content }) => content['body'])
    assert.equal(bodies.length, MESSAGES)
    for (let voice = 0; voice < VOICES; voice++) {
      const lines = bodies.filter((body) => textOf(body).startsWith(`voice ${voice},`))
      const said = Array.from({ length: MESSAGES / VOICES }, (_, line) => bodyOf(voice, line))
      assert.deepEqual(lines, said.toReversed())
    }
  })
}
