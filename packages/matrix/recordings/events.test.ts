import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkFormat } from '../events/check-format.ts'
import { hasValidContentHash } from '../events/content-hash.ts'
import { eventIdOf } from '../events/event-id-of.ts'
import { toRoomEvent } from '../events/make-room-event.ts'
import type { Pdu } from '../events/pdu.ts'
import { redactPdu } from '../events/redact.ts'
import { SPECIFIED_ROOM_VERSIONS } from '../room-versions/rules.ts'
import { verifyEvent } from '../signing/verify-event.ts'
import { readRecordings, sha256, verifySignature, type Recording } from './recording-suite.ts'

const recordings = readRecordings()

test('there is a recording of every room version of the specification, over 600 events in all', () => {
  assert.deepEqual(
    recordings.map(({ rules }) => rules.version),
    SPECIFIED_ROOM_VERSIONS,
  )
  const total = recordings.reduce((sum, { events }) => sum + events.length, 0)
  assert.ok(total >= 600, `${total} events`)
  for (const { views } of recordings) {
    assert.ok(views.some(({ rejected }) => rejected.size > 5))
    assert.ok(views.some(({ softFailed }) => softFailed.size > 5))
  }
})

const verdict = ({ rules, findKey }: Recording, pdu: Pdu): ReturnType<typeof verifyEvent> =>
  verifyEvent(rules, pdu, { sha256, verify: verifySignature, findKey })

for (const recording of recordings) {
  const { rules, events } = recording
  const version = `version ${rules.version}`

  test(`${version}: every event has the format, the id, the content hash and the signatures that its servers gave it`, () => {
    for (const { eventId, pdu } of events) {
      const checked = checkFormat(rules, structuredClone(pdu))
      assert.ok(checked.ok, checked.ok ? '' : `${eventId}: ${checked.reason}`)
      assert.ok(hasValidContentHash(rules, pdu, sha256), `content hash of ${eventId}`)
      assert.equal(eventIdOf(rules, pdu, sha256), eventId)
      assert.deepEqual(verdict(recording, pdu), { outcome: 'valid', eventId, pdu })
    }
  })

  test(`${version}: the room id follows from the events`, () => {
    for (const { pdu } of events) assert.equal(toRoomEvent(rules, pdu, sha256).roomId, recording.roomId)
  })

  test(`${version}: an event with changed content is redacted, and its redacted form keeps id and signatures`, () => {
    for (const { eventId, pdu } of events) {
      if (pdu.type === 'm.room.create') continue
      const changed = { ...pdu, content: { ...pdu.content, 'com.example.added': true } }
      const expected = redactPdu(rules, pdu)
      assert.deepEqual(verdict(recording, changed), { outcome: 'redacted', eventId, pdu: expected })
      const again = verdict(recording, expected)
      assert.ok(again.outcome !== 'invalid' && again.eventId === eventId)
    }
  })

  test(`${version}: an event with a changed essential key, or without its sender's signature, is dropped`, () => {
    for (const { eventId, pdu } of events) {
      // Nobody has to have signed the outside of a third-party invite; from version 3 on its id changes with it.
      if (isThirdPartyInvite(pdu)) continue
      const later = { ...pdu, origin_server_ts: pdu.origin_server_ts + 1 }
      assert.equal(verdict(recording, later).outcome, 'invalid', eventId)
      const signatures = { ...pdu.signatures }
      delete signatures[pdu.sender.slice(pdu.sender.indexOf(':') + 1)]
      assert.equal(verdict(recording, { ...pdu, signatures }).outcome, 'invalid', eventId)
    }
  })
}

function isThirdPartyInvite(pdu: Pdu): boolean {
  return pdu.content['third_party_invite'] !== undefined
}
