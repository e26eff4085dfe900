import type { AnyEndpoint } from '../../http/endpoint.ts'
import { sendInviteV1, sendInviteV2 } from './endpoints/invite.ts'
import { makeJoin, makeKnock, makeLeave } from './endpoints/make-membership.ts'
import { sendJoinV1, sendJoinV2 } from './endpoints/send-join.ts'
import { sendKnock } from './endpoints/send-knock.ts'
import { sendLeaveV1, sendLeaveV2 } from './endpoints/send-leave.ts'
import {
  exchangeThirdPartyInvite,
  onBindThirdPartyIdentifier,
  onBindThirdPartyIdentifierByPost,
} from './endpoints/third-party.ts'

/** Into rooms and out of them, for users of other servers. */
export const joiningRoutes: readonly AnyEndpoint[] = [
  makeJoin,
  sendJoinV1,
  sendJoinV2,
  makeLeave,
  sendLeaveV1,
  sendLeaveV2,
  makeKnock,
  sendKnock,
  sendInviteV1,
  sendInviteV2,
  exchangeThirdPartyInvite,
  onBindThirdPartyIdentifier,
  onBindThirdPartyIdentifierByPost,
]
