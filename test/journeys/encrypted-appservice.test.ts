import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { it } from 'node:test'
import {
  startTestAppservice,
  testRegistration,
  type AppserviceAnswer,
} from '@causeway/homeserver/appservice/test-appservice.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient } from '@causeway/testkit/sdk-client.ts'
import { startOlmGhost, type OlmGhost } from './olm-ghost.ts'
import { findMessage } from './sdk-talk.ts'

const REFUSED: AppserviceAnswer = { status: 503 }

it('a ghost of an appservice reads what a person on matrix-js-sdk encrypts, through a crash of the server too, and answers encrypted', async () => {
  await using appservice = await startTestAppservice()
  const folder = await mkdtemp(path.join(tmpdir(), 'encrypted-appservice-'))
  try {
    const wanted = { receive_ephemeral: true, 'org.matrix.msc3202': true }
    const registration = testRegistration('irc', appservice.url, wanted)
    const file = path.join(folder, 'irc.yaml')
    await writeFile(file, JSON.stringify(registration))
    await using server = await startCauseway({ extra: `appservices: [${JSON.stringify(file)}]` })
    const { url } = server
    const ghostId = `@_irc_ghost:${server.serverName}`
    const asToken = registration.as_token
    const ghost: OlmGhost = await startOlmGhost({ url, asToken, userId: ghostId, deviceId: 'GHOST' })
    const seen = new Set<string>()
    let isAway = false
    appservice.answer = async ({ url: asked, body }) => {
      if (isAway) return REFUSED
      if (!seen.has(asked)) await ghost.receive(JSON.parse(body) as JsonObject)
      seen.add(asked)
      return { status: 200 }
    }
    const aliceUser = await registerUser(url, 'alice')
    await using alice = await startSdkClient(url, aliceUser, { encrypt: true })
    const { room_id: roomId } = await alice.client.createRoom({
      invite: [ghostId],
      initial_state: [
        { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      ],
    })
    const invitation = (): boolean =>
      appservice.events().some(({ state_key: key, room_id: id }) => key === ghostId && id === roomId)
    await appservice.until(invitation)
    await ghost.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
    const isThere = (): boolean =>
      alice.client.getRoom(roomId)?.getMember(ghostId)?.membership === 'join' &&
      alice.client.getRoom(roomId)?.hasEncryptionStateEvent() === true
    await alice.until('the ghost', isThere)
    await alice.client.sendTextMessage(roomId, 'for the ghost alone')
    const bodies = (): unknown[] => ghost.read.map(({ body }) => body)
    await appservice.until(() => bodies().includes('for the ghost alone'))

    await ghost.send(roomId, { msgtype: 'm.text', body: 'from beyond' })
    const answer = await alice.until('the answer', () => findMessage(alice, roomId, 'from beyond'))
    assert.equal(answer.getWireType(), 'm.room.encrypted')

    // A new key, which is on its way while the appservice is away and the server is killed.
    isAway = true
    await alice.client.getCrypto()!.forceDiscardSession(roomId)
    await alice.client.sendTextMessage(roomId, 'kept for later')
    await server.kill()
    await server.start()
    isAway = false
    await appservice.until(() => bodies().includes('kept for later'))
    assert.deepEqual(bodies(), ['for the ghost alone', 'kept for later'])
    for (const event of appservice.events())
      assert.equal(JSON.stringify(event).includes('for the ghost alone'), false, 'it went unencrypted')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
