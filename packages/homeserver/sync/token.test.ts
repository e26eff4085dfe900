import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatSyncToken, parseSyncToken } from './token.ts'

const epochs = { log: 'log1', boot: 'boot1' }

describe('a sync token', () => {
  it('is read as it was written, with and without messages to acknowledge', () => {
    for (const token of [
      { position: 0, volatile: 0 },
      { position: 12, volatile: 3 },
      { position: 12, volatile: 3, toDevice: 12 },
      { position: 12, volatile: 3, toDevice: 4 },
    ]) {
      assert.deepEqual(parseSyncToken(formatSyncToken(token, epochs), epochs), token)
    }
  })

  it('of another log is none, and of another run counts from the beginning of what is volatile', () => {
    const token = formatSyncToken({ position: 12, volatile: 3, toDevice: 9 }, epochs)
    assert.equal(parseSyncToken(token, { ...epochs, log: 'log2' }), undefined)
    assert.deepEqual(parseSyncToken(token, { ...epochs, boot: 'boot2' }), {
      position: 12,
      volatile: 0,
      toDevice: 9,
    })
  })

  it('that was never given out is refused', () => {
    for (const text of [
      '',
      'x',
      's1_2_b',
      's12_3_boot1_log1_',
      's12_3_boot1_log1_13',
      's9999999999999999_0_boot1_log1',
    ]) {
      assert.throws(() => parseSyncToken(text, epochs), { errcode: 'M_INVALID_PARAM' })
    }
  })
})
