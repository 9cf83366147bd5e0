### What deputize says to people, in English. Another language is another file here, named by its tag: de.ftl, pt-BR.ftl.
###
### Whatever is put in for a variable that is not of this file is set apart by the program, and strangers' words are in
### quotation marks: write no marks of your own around variables. A message has to take up each variable that it has here.

## What sentences are made of

as-it-is = { $text }
figures = { $number }
moment = { $day }, { $clock } UTC
mixed-alphabets = { $text } (mixed alphabets: { $scripts })
named-beside = { $title } ({ $name })

## Consent: who asks, for what, for how long (GRANT-2)

consent-title-browser = Let the agent in this browser act for you?
consent-title-origin = Let { $host } act for you?
consent-title-registered = Let an agent registered by { $site } act for you?
consent-title-unproven = Let an app that does not prove who it is act for you?
consent-asker-browser = “The agent in this browser” is any agent, and any script of this site, that runs in this browser profile.
consent-asker-origin = This agent has proved that it belongs to { $origin }. It calls itself { $name }; nobody has checked that name, and { $site } does not vouch for the agent.
consent-asker-registered = { $site } knows this agent as { $name }, and the agent has proved that it has the key which { $site } registered.
consent-asker-unproven = This app says that it is the one described at the address below, and calls itself { $name }.
consent-warning-unproven = It does not prove it: any app can say this. Whoever gets hold of its access can use it as you allow here. Each call asks for your passkey: read each time what you approve.
consent-id = Its id: { $client_id }
consent-scopes = At { $site } it may
consent-limits = Only within these limits
consent-limits-remark = Each limit is for the tool that it stands under. With any other, the agent may do all of the above.
consent-duration = For { $duration }
consent-duration-remark = You can take it back at any time on your account page.

## Limits (CONS-4)

limit-none = Without limits of its own
limit-calls =
    { $most ->
        [1] At most once
        [2] At most twice
       *[other] At most { $most } times
    }
limit-sum = { $place }: at most { $most } in all
limit-not-before = Not before { $moment }
limit-not-after = Only until { $moment }
limit-hours = Every day from { $from } to { $to } UTC
limit-hours-overnight = Every day from { $from } to { $to } of the next day, UTC
limit-arguments = { $place }: { $clauses }

# Where in the arguments: labels, one below the other
place-all = As a whole
place-steps = { " › " }
place-if-given = { $place } (if given)
place-entry = entry { $number } (if given)
place-entries = each entry
place-entries-after = each entry after entry { $number }
place-rest = whatever is not { $members }
place-each = each value
place-if-kind = if it is { $kind }
label-beside = { $title } { $name }
label-unknown = { $name }, unknown to the site

# What is said of a place, one thing after the other
clauses = { ", " }
statements = { "; " }
clause-group = ({ $statements })
clause-required = must be given
clause-absent = must not be given
clause-nothing = nothing at all
clause-anything = anything
clause-no-values = no values
clause-members = nothing but { $members }
clause-only = only { $values }
clause-but = anything but { $values }
clause-either = either { $statements }
clause-one-of = exactly one of these: { $statements }
clause-none-of = not { $statements }
clause-fits = fitting { $schema }
clause-bounds-if = { $bounds } (if it is { $kind })

kind-string = text
kind-number = a number
kind-integer = a whole number
kind-boolean = true or false
kind-array = a list
kind-object = a group of values
kind-null = null

bound-minimum = at least { $number }
bound-exclusiveMinimum = more than { $number }
bound-maximum = at most { $number }
bound-exclusiveMaximum = less than { $number }
bound-multipleOf = a multiple of { $number }
bound-minLength =
    { $number ->
        [one] at least { $number } character
       *[other] at least { $number } characters
    }
bound-maxLength =
    { $number ->
        [one] at most { $number } character
       *[other] at most { $number } characters
    }
bound-minItems =
    { $number ->
        [one] at least { $number } entry
       *[other] at least { $number } entries
    }
bound-maxItems =
    { $number ->
        [one] at most { $number } entry
       *[other] at most { $number } entries
    }
bound-minProperties =
    { $number ->
        [one] at least { $number } value
       *[other] at least { $number } values
    }
bound-maxProperties =
    { $number ->
        [one] at most { $number } value
       *[other] at most { $number } values
    }

## Pages: what every one of them has

page-astray = This page works at { $issuer } only. If it looks bare, open { $address }.
sign-out = Sign out

## Pages: sign-in

sign-in = Sign in
    .title = Sign in to { $site }
sign-in-how = Use a passkey on this device, on your phone, or a security key. There is no password.
sign-in-button = Sign in with a passkey
sign-in-elsewhere = Nobody is signed in. Sign in at the site, then come back.
sign-in-elsewhere-link = Sign in at { $site }
sign-up = New here?
sign-up-name = Your name
sign-up-button = Create an account with a passkey

recovery = Recover your account
recovery-how = This link lets you enroll one new passkey. It works once.
recovery-how-signed-in = This link lets you enroll one new passkey, and signs you in. It works once.
recovery-button = Enroll a new passkey
recovered-elsewhere = Your new passkey is enrolled
recovered-elsewhere-how = Sign in now, and remove the passkeys of what you have lost on this page.
recovered = You are back in
recovered-how = Your new passkey is enrolled. What was there before still works: remove the passkeys of what you have lost, and take back below what agents in a lost browser may do.
recovered-how-signed-out = Your new passkey is enrolled. You are signed in here, and have been signed out everywhere else. What was there before still works: remove the passkeys of what you have lost, and take back below what agents in a lost browser may do.
recovered-done = I have nothing else to remove

## Pages: account

account = Your account
    .title = Who may act for you
deputies = Agents you have deputized
deputies-none = No agent may act for you now.
deputy-unproven = An app that does not prove who it is
deputy-unproven-who = It says that it is { $client_id }, and calls itself { $name }. Each of its calls asks for your passkey.
deputy-browser = The agent in a browser of yours
deputy-browser-who = Any agent or script in that browser profile on this site can use this, not one program only.
deputy-origin-who = It calls itself { $name }. Its id: { $client_id }
deputy-registered-who = Registered by { $site }. Its id: { $client_id }
deputy-handed-on = Another agent of yours has handed this on to it.
deputy-until = Until { $moment }
deputy-revoke = Take this back
deputy-block = Take it back and block the agent
deputy-block-what = It loses all that it has from you, and cannot ask you again.
deputy-block-browser = This blocks what that browser has now: a script that runs there could begin anew. If you do not trust the browser, sign out there, too.
deputy-block-how-long = For how long?
deputy-block-endless = Until I end it
deputy-block-button = Block
blocked = Blocked
blocked-until = blocked { $since }, until { $until }
blocked-endless = blocked { $since }, until you end it
unblock = Unblock
    .label = Unblock { $name }
past = Earlier ones
past-revoked = given { $given }, taken back
past-superseded = given { $given }, replaced by a newer one
past-expired = given { $given }, ran out
past-with-parent = given { $given }, ended with the one that it was a part of

## Pages: what was done (history)

history = What happened in your name
history-none = Nothing yet.
history-asked = You were asked
history-unasked = Within what you allowed
history-legend = Whoever asked filled in what is { $marked }. The rest is { $site }’s.
    .marked = marked
history-line = { $moment } · { $became }
done-pending = Waits for your answer.
done-approved = Allowed, not done yet.
done-redeemed = Being done.
done-succeeded = Done.
done-failed = Failed.
done-unknown = Perhaps done: nobody has said.
done-denied = Refused.
done-declined = Not done: you said no.
done-expired = Not done: it ran out.
done-cancelled = Not done: it was called off.
done-by-page = Asked for by the page itself: no agent said that it was behind it.
done-by-user = Asked for by yourself.
done-by-unproven = Asked for by an app that says it is { $client_id }, without proving it.
done-by-browser = Asked for by the agent in a browser of yours.
done-by-origin = Asked for by { $host }, which calls itself { $name }.
done-by-registered = Asked for by { $name } ({ $client_id }).
done-seen = You approved it with a passkey.
done-not-asked = You were not asked: it is within what you allowed.
done-unshown =
    { $count ->
        [one] { $count } more character of this is too many for a page. { $site } has kept it.
       *[other] { $count } more characters of this are too many for a page. { $site } has kept them.
    }
done-open = It may still be done until { $moment }.
done-call-off = Cancel it
done-number = Number { $call_id }

## Pages: passkeys

passkeys = Your passkeys
passkeys-none = You have no passkey here yet. Without one you cannot approve anything.
passkey-here = This device
passkey-elsewhere = Security key
passkey-added = added { $moment }
passkey-remove = Remove
    .label = Remove { $label }
passkey-add = Add a passkey
passkey-add-how = Adding one asks twice: first for the new passkey, then for one that you have already.
passkey-add-approval = Add a new passkey to your account
passkey-window-open = Until { $moment } an app that acts for you may add one passkey.
passkey-window-close = Stop that now
passkey-window = Let an app bring a passkey
passkey-window-how = For five minutes, an app that you have deputized over MCP may add one passkey to your account. Do this only while you are setting up such an app yourself.
passkey-window-approval = Let an app that acts for you add one passkey to your account, for five minutes

## Pages: consent, around its lines

consent = Let an agent act for you?
consent-device = It runs on another device, which shows the code { $code }. If that device is not yours, say no.
consent-exactly = The limits exactly as you sign them
consent-onward = When you have answered, whatever it is, you go on to { $destination }.
consent-onward-local = When you have answered, whatever it is, you go on to an app on this computer ({ $destination }).
consent-no-passkey = Only a passkey can allow this, and you have none here yet. Add one; then you come back here.
consent-no-passkey-link = Add a passkey
consent-deny = Not now
consent-allow = Allow with passkey

device = Connect an agent
    .title = Connect an agent on another device
device-warning = Only go on if you started this yourself. Nobody from { $site } will ever ask you for such a code.
device-code = The code that the agent shows
device-go-on = Go on
device-unknown = No agent is waiting for this code. Check it, or let the agent show a new one.
device-too-many = Too many wrong codes. Wait ten minutes, then try again.

## Pages that say one thing

told-gone = This request has run out or was answered already. Go back to the agent and let it ask again.
    .title = Too late
told-blocked-by-you = You have blocked this agent. You can end that on your account page, and then open this page again.
    .title = This agent is blocked
told-blocked = This site has blocked this agent.
    .title = This agent is blocked
told-too-many-consents = Too many requests of agents wait for your answer. Open this page again in ten minutes.
    .title = Not now
told-no-page = Another page tried to open it. Go back to the app and let it open this page itself.
    .title = This link does not work
told-no-bearer = The app that sent you here does not prove who it is with a key, and this site takes no such apps.
    .title = This link does not work
told-another-agent = It names another agent than the one that made it. Go back to the agent and let it ask again.
    .title = This link does not work
told-gone-link = This request has run out or was answered already. Go back to the agent and let it ask again.
    .title = This link does not work
told-asked-badly = The app that led you here did not ask as it should. Go back to it and try again. If that does not help, show this to whoever makes it: { $detail }
    .title = This link does not work

## Pages that refuse, by the code of the refusal (SHIM-10)

refused-page = This page cannot be shown now. Go back to where you found it, and try again.
    .title = This page cannot be shown
refused-page-not-found = No page has this address. Check it, or go back to where you found it.
    .title = There is nothing here
refused-page-method-not-allowed = No page has this address. Check it, or go back to where you found it.
    .title = There is nothing here
refused-page-uri-too-long = Go back to where you found it, and try again.
    .title = This link is too long
refused-page-headers-too-large = Your browser sends more than this site takes. Delete its cookies and those of its domain, then sign in again.
    .title = Too many cookies
refused-page-invalid-request = The address is not as it should be, or a cookie came twice, and one of them is not ours. First check the address. If it is right, delete the cookies of this site and of its domain, then sign in again.
    .title = This page cannot be shown
refused-page-record-unavailable = This site cannot write down what is done here, so it has done nothing. Open this page again in a few minutes.
    .title = Not now
refused-page-outcome-unknown = It is not known whether this site wrote down what you did. Open this page again in a few minutes, to see.
    .title = Not now
refused-page-server-error = It is this site’s fault, and has been noted. Open this page again in a moment.
    .title = Something went wrong here
refused-page-user-blocked = The owner of this site has blocked this account.
    .title = Not here
refused-page-too-many-requests = This was asked for too often. Wait { $wait }, then try again.
    .title = Not now
