"""The channel e-mail."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from keys.models import Message
from keys.notices.channels import DeliveryFailed

PERMANENT_FROM_CODE = 500  # SMTP replies from here on do not change by trying again


def deliver(message: Message) -> None:
    """Send one mail; raises DeliveryFailed.

    The Message-ID stays the same when a mail is sent again, so that mail programs can drop the
    second copy.
    """
    mail = EmailMultiAlternatives(
        subject=f"[Estuary Admin] {message.subject}",
        body=message.text,
        from_email=settings.EMAIL_FROM,
        to=[message.recipient],
        headers={
            "Message-ID": f"<{message.number}@{settings.PUBLIC_URL.hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _refused(max(codes, default=0)) from None
    except smtplib.SMTPDataError as error:
        raise _refused(error.smtp_code) from None
    except smtplib.SMTPResponseException as error:
        # A sign-in or a sender that is refused is a mistake in EMAIL_URL or EMAIL_FROM.
        raise DeliveryFailed(_refusal(error.smtp_code)) from None
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryFailed(
            f"The mail server could not be used: {type(error).__name__}."
        ) from None
    except ValueError:
        raise DeliveryFailed("The address is not one that mail can go to.", is_final=True) from None


def _refused(code: int) -> DeliveryFailed:
    return DeliveryFailed(_refusal(code), is_final=code >= PERMANENT_FROM_CODE)


def _refusal(code: int) -> str:
    return f"The mail server refused it with code {code}."
