import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { loginUser, registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'
import { findMessage, membershipOf } from './sdk-talk.ts'

/** Of each device of somebody that a client has in its lists, whether it is a dehydrated one. */
async function devicesOf({ client }: SdkClient, userId: string): Promise<boolean[]> {
  const devices = await client.getCrypto()?.getUserDeviceInfo([userId], true)
  return [...(devices?.get(userId)?.values() ?? [])].map((device) => device.dehydrated)
}

describe('matrix-js-sdk', () => {
  it('reads on a new device what came for a dehydrated one while nobody was logged in', async () => {
    await using server = await startCauseway()
    const [aliceUser, bobUser] = [
      await registerUser(server.url, 'alice'),
      await registerUser(server.url, 'bob'),
    ]
    // The key to Alice's secret storage: what she types on each new device.
    const recovery: { key?: Uint8Array<ArrayBuffer> } = {}
    const cryptoCallbacks = {
      getSecretStorageKey: async ({ keys }: { keys: object }): Promise<[string, Uint8Array<ArrayBuffer>]> => [
        Object.keys(keys)[0]!,
        recovery.key!,
      ],
    }
    await using bob = await startSdkClient(server.url, bobUser, { encrypt: true })
    let roomId: string
    {
      await using alice = await startSdkClient(server.url, aliceUser, { encrypt: true, cryptoCallbacks })
      ;({ room_id: roomId } = await alice.client.createRoom({
        invite: [bobUser.userId],
        initial_state: [
          { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
        ],
      }))
      await bob.until('the invitation', () => membershipOf(bob, roomId) === 'invite')
      await bob.client.joinRoom(roomId)
      const crypto = alice.client.getCrypto()!
      await crypto.bootstrapCrossSigning({
        authUploadDeviceSigningKeys: async (ask) => {
          await ask(null)
        },
      })
      await crypto.bootstrapSecretStorage({
        createSecretStorageKey: async () => {
          const made = await crypto.createRecoveryKeyFromPassphrase()
          recovery.key = made.privateKey
          return made
        },
      })
      assert.equal(await crypto.isDehydrationSupported(), true)
      await crypto.startDehydration()
      await alice.client.logout(true)
    }
    await bob.until('the room', () => bob.client.getRoom(roomId)?.hasEncryptionStateEvent())
    await bob.until('the dehydrated device alone', async () => {
      const devices = await devicesOf(bob, aliceUser.userId)
      return devices.length === 1 && devices[0] === true
    })
    await bob.client.sendTextMessage(roomId, 'while you were away')

    const again = await loginUser(server.url, 'alice')
    await using alice = await startSdkClient(server.url, again, { encrypt: true, cryptoCallbacks })
    const event = await alice.until('what came', () =>
      alice.client
        .getRoom(roomId)
        ?.getLiveTimeline()
        .getEvents()
        .find((one) => one.getWireType() === 'm.room.encrypted'),
    )
    await alice.until('that it cannot be read', () => event.isDecryptionFailure())
    // She types her key: the identity comes out of the secret storage, and then the dehydrated device.
    const crypto = alice.client.getCrypto()!
    assert.ok(await crypto.userHasCrossSigningKeys(again.userId, true))
    await crypto.bootstrapCrossSigning({})
    await crypto.startDehydration()
    await alice.until('the message', () => findMessage(alice, roomId, 'while you were away'))
    await bob.until('the new device beside another dehydrated one', async () => {
      const devices = await devicesOf(bob, aliceUser.userId)
      return devices.length === 2 && devices.filter(Boolean).length === 1
    })
  })
})
