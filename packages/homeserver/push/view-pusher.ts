import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { PusherRow } from '@causeway/store/tables/pushers.ts'

/** A pusher as clients are shown it. https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushers */
export function viewPusher(row: PusherRow): JsonObject {
  return {
    pushkey: row.pushkey,
    kind: row.kind,
    app_id: row.app_id,
    app_display_name: row.app_display_name,
    device_display_name: row.device_display_name,
    ...(row.profile_tag === '' ? {} : { profile_tag: row.profile_tag }),
    lang: row.lang,
    data: JSON.parse(row.data) as JsonObject,
  }
}
