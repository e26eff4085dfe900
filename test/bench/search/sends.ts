import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { sendEvent } from '@causeway/homeserver/rooms/send.ts'
import type { ServerDriver } from '@causeway/homeserver/test-server.ts'
import { createRoom } from '@causeway/homeserver/client/create-room.ts'
import { register } from '@causeway/homeserver/client/register.ts'
import { createDice, inventMessage } from './corpus.ts'

const AT_ONCE = 16

/** CPU of this process (its database threads included, not PostgreSQL's) for so many messages, in ms a thousand. */
async function cpuOfSends(driver: ServerDriver, sends: number, indexed: boolean): Promise<number> {
  await using server = await driver.start({ endpoints: [createRoom, register] })
  const { hs } = server
  if (!indexed) await hs.search[Symbol.asyncDispose]()
  const alice = await server.register('alice')
  const made = await server.request('POST', '/_matrix/client/v3/createRoom', { token: alice.token, body: {} })
  const roomId = made.json()['room_id'] as RoomId
  const dice = createDice(3)
  const cpu = process.cpuUsage()
  let sent = 0
  const send = async (): Promise<void> => {
    while (sent++ < sends) {
      const content = { msgtype: 'm.text', body: inventMessage(dice) }
      await sendEvent(hs.rooms, { roomId, type: 'm.room.message', sender: alice.userId as UserId, content })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, send))
  while (indexed && hs.search.behind() > 0) await hs.search.caughtUp()
  const { user, system } = process.cpuUsage(cpu)
  return (user + system) / sends
}

/** What following the log for the index costs, beside sending the messages: without HTTP, the dearer comparison. */
export async function measureSends(driver: ServerDriver, sends: number): Promise<string> {
  await cpuOfSends(driver, Math.min(sends, 2_000), true)
  const figures: [number, number][] = []
  for (let round = 0; round < 3; round++) {
    figures.push([await cpuOfSends(driver, sends, false), await cpuOfSends(driver, sends, true)])
  }
  const [without, withIndex] = [0, 1].map(
    (at) => figures.map((pair) => pair[at]!).toSorted((a, b) => a - b)[1]!,
  ) as [number, number]
  return (
    `${sends} messages: ${without.toFixed(0)} ms of CPU per 1,000 without the index, ${withIndex.toFixed(0)} with it ` +
    `(+${((withIndex / without - 1) * 100).toFixed(0)} %)`
  )
}
