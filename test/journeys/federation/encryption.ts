import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { MatrixEvent, Room } from 'matrix-js-sdk'
import { loginUser, registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'
import type { Side } from './two-servers.ts'

let people = 0

const roomOf = ({ client }: SdkClient, roomId: string): Room | undefined =>
  client.getRoom(roomId) ?? undefined

function findMessage(sdk: SdkClient, roomId: string, body: string): MatrixEvent | undefined {
  const events = roomOf(sdk, roomId)?.getLiveTimeline().getEvents() ?? []
  return events.find((event) => event.getContent()['body'] === body && event.getType() === 'm.room.message')
}

/** What only the devices of those in the room can read. */
export function tellOfEncryption(sides: () => readonly [hosts: Side, guests: Side]): void {
  it('an encrypted room is read on both sides, on a device that came later too', async () => {
    const [hosts, guests] = sides()
    const localpart = `gero-e2e${++people}`
    const hannaUser = await registerUser(hosts.url, `hanna-e2e${people}`)
    const geroUser = await registerUser(guests.url, localpart)
    await using hanna = await startSdkClient(hosts.url, hannaUser, { encrypt: true })
    await using gero = await startSdkClient(guests.url, geroUser, { encrypt: true })
    const { room_id: roomId } = await hanna.client.createRoom({
      invite: [geroUser.userId],
      initial_state: [
        { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      ],
    })
    await gero.until('the invitation', () => roomOf(gero, roomId)?.getMyMembership() === 'invite')
    await gero.client.joinRoom(roomId, { viaServers: [hosts.serverName] })
    await hanna.until('gero', () => roomOf(hanna, roomId)?.getMember(geroUser.userId)?.membership === 'join')
    await hanna.client.sendTextMessage(roomId, 'for your eyes only')
    const received = await gero.until('the message', () => findMessage(gero, roomId, 'for your eyes only'))
    assert.equal(received.getWireType(), 'm.room.encrypted')
    await gero.client.sendTextMessage(roomId, 'read and burnt')
    await hanna.until('the answer', () => findMessage(hanna, roomId, 'read and burnt'))

    const secondUser = await loginUser(guests.url, localpart)
    assert.notEqual(secondUser.deviceId, geroUser.deviceId)
    await using second = await startSdkClient(guests.url, secondUser, { encrypt: true })
    // The other server is told that the list changed, asks for it, and tells its people.
    const crypto = hanna.client.getCrypto()!
    await untilAsync(hanna, 'the new device', async () => {
      const devices = await crypto.getUserDeviceInfo([geroUser.userId], true)
      return devices.get(geroUser.userId)?.has(secondUser.deviceId) === true
    })
    await hanna.client.sendTextMessage(roomId, 'for both of you')
    for (const one of [gero, second]) {
      const event = await one.until('what both can read', () => findMessage(one, roomId, 'for both of you'))
      assert.equal(event.getWireType(), 'm.room.encrypted')
    }
    await second.client.sendTextMessage(roomId, 'from the second device')
    await hanna.until('the second device', () => findMessage(hanna, roomId, 'from the second device'))

    await gero.client.logout(true)
    await untilAsync(hanna, 'the first device gone', async () => {
      const devices = await crypto.getUserDeviceInfo([geroUser.userId], true)
      return devices.get(geroUser.userId)?.has(geroUser.deviceId) === false
    })
  })
}

/** `until` for what has to be asked for. */
async function untilAsync(sdk: SdkClient, what: string, ask: () => Promise<boolean>): Promise<void> {
  let holds = false
  let asking = false
  await sdk.until(what, () => {
    if (!asking && !holds) {
      asking = true
      void ask()
        .then((answer) => (holds = answer))
        .catch(() => undefined)
        .finally(() => (asking = false))
    }
    return holds
  })
}
