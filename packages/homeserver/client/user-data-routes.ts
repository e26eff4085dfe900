import type { AnyEndpoint } from '../http/endpoint.ts'
import {
  deleteAccountData,
  deleteAccountDataPerRoom,
  getAccountData,
  getAccountDataPerRoom,
  setAccountData,
  setAccountDataPerRoom,
} from './account-data-endpoints.ts'
import { defineFilter, getFilter } from './filter-endpoints.ts'
import { getPresence, setPresence } from './presence-endpoints.ts'
import { getNotifications } from './notifications.ts'
import { getPushers, postPusher } from './pusher-endpoints.ts'
import {
  deletePushRule,
  getPushRule,
  getPushRuleActions,
  getPushRules,
  getPushRulesGlobal,
  isPushRuleEnabled,
  setPushRule,
  setPushRuleActions,
  setPushRuleEnabled,
} from './push-rule-endpoints.ts'
import { postReceipt, setReadMarker } from './receipt-endpoints.ts'
import { deleteRoomTag, getRoomTags, setRoomTag } from './tag-endpoints.ts'
import { setTyping } from './typing-endpoint.ts'

/** What people set for themselves, and what they tell each other beside events. */
export const userDataRoutes: readonly AnyEndpoint[] = [
  getAccountData,
  setAccountData,
  getAccountDataPerRoom,
  setAccountDataPerRoom,
  deleteAccountData,
  deleteAccountDataPerRoom,
  getRoomTags,
  setRoomTag,
  deleteRoomTag,
  postReceipt,
  setReadMarker,
  setTyping,
  getPresence,
  setPresence,
  defineFilter,
  getFilter,
  getPushRules,
  getPushRulesGlobal,
  getPushRule,
  setPushRule,
  deletePushRule,
  isPushRuleEnabled,
  setPushRuleEnabled,
  getPushRuleActions,
  setPushRuleActions,
  getPushers,
  postPusher,
  getNotifications,
]
