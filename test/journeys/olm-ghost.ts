import assert from 'node:assert/strict'
import {
  DecryptionSettings,
  DeviceId,
  DeviceLists,
  EncryptionSettings,
  initAsync,
  KeysQueryRequest,
  KeysUploadRequest,
  OlmMachine,
  RequestType,
  RoomId,
  ToDeviceRequest,
  TrustRequirement,
  UserId,
  type KeysClaimRequest,
} from '@matrix-org/matrix-sdk-crypto-wasm'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { request } from '@causeway/testkit/matrix-client.ts'

// A ghost that encrypts, as an appservice drives it: the cryptography of matrix-rust-sdk, which learns all that it
// knows from transactions, and acts with the appservice's token by naming user and device.

export interface GhostOptions {
  readonly url: string
  readonly asToken: string
  readonly userId: string
  readonly deviceId: string
}

export interface OlmGhost {
  /** Any operation below `/_matrix/client/v3`, as its device; rejects with the errcode for anything but 200. */
  call(method: string, path: string, body?: JsonObject): Promise<JsonObject>
  /** Takes in a transaction, and does what its cryptography asks for. */
  receive(transaction: JsonObject): Promise<void>
  /** Messages of encrypted rooms that it could read, in order: their contents. */
  readonly read: JsonObject[]
  /** Encrypts a message for everybody in a room. */
  send(roomId: string, content: JsonObject): Promise<void>
}

type Outgoing = { readonly id: string | undefined; readonly type: RequestType; readonly body: string }

function pathOf(outgoing: Outgoing): [method: string, path: string] {
  if (outgoing.type === RequestType.KeysUpload) return ['POST', '/keys/upload']
  if (outgoing.type === RequestType.KeysQuery) return ['POST', '/keys/query']
  if (outgoing.type === RequestType.KeysClaim) return ['POST', '/keys/claim']
  assert.ok(outgoing instanceof ToDeviceRequest, `an unexpected request, ${outgoing.type}`)
  return ['PUT', `/sendToDevice/${outgoing.event_type}/${outgoing.txn_id}`]
}

/** A ghost that is registered, with a device that has published its keys. */
export async function startOlmGhost({ url, asToken, userId, deviceId }: GhostOptions): Promise<OlmGhost> {
  await initAsync()
  const who = new URLSearchParams({ user_id: userId, 'org.matrix.msc3202.device_id': deviceId })
  const ask = async (path: string, method: string, body?: JsonObject): Promise<JsonObject> => {
    const options = { token: asToken, ...(body === undefined ? {} : { body }) }
    const { status, body: answer } = await request(url, method, `/_matrix/client/v3${path}`, options)
    if (status < 200 || status > 201) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
    return answer
  }
  const call = (method: string, path: string, body?: JsonObject): Promise<JsonObject> =>
    ask(`${path}?${who.toString()}`, method, body)
  const username = userId.slice(1, userId.indexOf(':'))
  const registration = { type: 'm.login.application_service', username, inhibit_login: true }
  await ask('/register', 'POST', registration)
  await ask(`/devices/${deviceId}?user_id=${encodeURIComponent(userId)}`, 'PUT', {})
  const machine = await OlmMachine.initialize(new UserId(userId), new DeviceId(deviceId))
  const settle = async (outgoing: Outgoing): Promise<void> => {
    const [method, path] = pathOf(outgoing)
    const answer = await call(method, path, JSON.parse(outgoing.body) as JsonObject)
    await machine.markRequestAsSent(outgoing.id!, outgoing.type, JSON.stringify(answer))
  }
  const settleAll = async (): Promise<void> => {
    for (const outgoing of await machine.outgoingRequests()) {
      if (outgoing instanceof KeysUploadRequest || outgoing instanceof KeysQueryRequest)
        await settle(outgoing)
      else await settle(outgoing as Outgoing)
    }
  }
  await settleAll()
  const read: JsonObject[] = []
  const ofDevice = <T>(counts: unknown): T | undefined =>
    (counts as Record<string, Record<string, T>> | undefined)?.[userId]?.[deviceId]
  return {
    call,
    read,
    async receive(transaction) {
      const lists = (transaction['org.matrix.msc3202.device_lists'] ?? {}) as Record<string, string[]>
      const users = (of: string): UserId[] => (lists[of] ?? []).map((id) => new UserId(id))
      const counts = ofDevice<Record<string, number>>(
        transaction['org.matrix.msc3202.device_one_time_keys_count'],
      )
      const unused = ofDevice<string[]>(transaction['org.matrix.msc3202.device_unused_fallback_key_types'])
      await machine.receiveSyncChanges(
        JSON.stringify(transaction['de.sorunome.msc2409.to_device'] ?? []),
        new DeviceLists(users('changed'), users('left')),
        new Map(Object.entries(counts ?? {})),
        unused === undefined ? undefined : new Set(unused),
        new DecryptionSettings(TrustRequirement.Untrusted),
      )
      await settleAll()
      for (const event of transaction['events'] as JsonObject[]) {
        if (event['type'] !== 'm.room.encrypted' || event['sender'] === userId) continue
        const roomId = new RoomId(event['room_id'] as string)
        const settings = new DecryptionSettings(TrustRequirement.Untrusted)
        const decrypted = await machine.decryptRoomEvent(JSON.stringify(event), roomId, settings)
        read.push((JSON.parse(decrypted.event) as JsonObject)['content'] as JsonObject)
      }
    },
    async send(roomId, content) {
      const { joined } = await call('GET', `/rooms/${encodeURIComponent(roomId)}/joined_members`)
      // The machine takes what it is given.
      const members = (): UserId[] => Object.keys(joined as JsonObject).map((id) => new UserId(id))
      await machine.updateTrackedUsers(members())
      await settleAll()
      const claim: KeysClaimRequest | null = await machine.getMissingSessions(members())
      if (claim != null) await settle(claim as Outgoing)
      const settings = new EncryptionSettings()
      for (const share of await machine.shareRoomKey(new RoomId(roomId), members(), settings))
        await settle(share as Outgoing)
      const text = JSON.stringify(content)
      const encrypted = await machine.encryptRoomEvent(new RoomId(roomId), 'm.room.message', text)
      const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.encrypted/${read.length}-answer`
      await call('PUT', path, JSON.parse(encrypted) as JsonObject)
    },
  }
}
