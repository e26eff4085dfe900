import { readDeviceLists } from '../../streams/device-lists.ts'
import type { SlidingContext } from '../context.ts'
import type { ExtensionResult } from './extension.ts'

/**
 * Whose devices have changed, and how many keys of this device are left: stated in every answer, 0 too.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/3884
 */
export async function readE2ee(ctx: SlidingContext): Promise<ExtensionResult> {
  const { hs, session, deviceId } = ctx
  const lists = await readDeviceLists(ctx)
  const { counts, unusedFallback } = await hs.keyCounts.of(session.userId, deviceId)
  const text = JSON.stringify({
    device_one_time_keys_count: counts,
    device_unused_fallback_key_types: unusedFallback,
    ...(lists === undefined ? {} : { device_lists: lists }),
  })
  return { text, isNews: lists !== undefined }
}
