"""Every address of the clinic. The one thing to know: a record's name in an address is 96 random bits."""

from django.urls import include, path

from regrow.clinic import live
from regrow.clinic.views import board, booking, clinic, home, intake, plan, register, session

urlpatterns = [
    path("", home.start, name="home"),
    path("health", home.health, name="health"),
    path("enter/<str:token>", home.enter, name="enter"),
    path("unlock", home.unlock_page, name="unlock"),
    path("sign-out", home.sign_out, name="sign_out"),
    path("pin", home.pin, name="pin"),
    path("sw.js", home.service_worker, name="service_worker"),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("enquiries", intake.enquiries, name="enquiries"),
    path("enquiries/<str:key>", intake.enquiry, name="enquiry"),
    path("patients", intake.patients, name="patients"),
    path("patients/new", intake.new_patient, name="new_patient"),
    path("patients/<str:key>", intake.patient, name="patient"),
    path("patients/<str:key>/edit", intake.edit_patient, name="edit_patient"),
    path("patients/<str:key>/chart/<str:what>", intake.add_to_chart, name="add_to_chart"),
    path("patients/<str:key>/medicines/<int:pk>/stop", intake.stop_medicine, name="stop_medicine"),
    path("patients/<str:key>/evaluation", intake.evaluation, name="new_evaluation"),
    path("patients/<str:key>/evaluation/<str:which>", intake.evaluation, name="evaluation"),
    path("patients/<str:key>/decide", intake.decide, name="decide"),
    path("patients/<str:key>/course", plan.new_course, name="new_course"),
    path("courses/<str:key>", plan.course, name="course"),
    path("courses/<str:key>/sign", plan.sign, name="sign_course"),
    path("courses/<str:key>/second", plan.second, name="second_sign"),
    path("courses/<str:key>/consent", plan.consent, name="consent"),
    path("courses/<str:key>/book", booking.book, name="book"),
    path("courses/<str:key>/end", plan.end, name="end_course"),
    path("bookings/<str:key>", booking.booking, name="booking"),
    path("diary", booking.diary, name="diary"),
    path("board", board.board, name="board"),
    path("board/chairs/<int:pk>", board.chair, name="chair"),
    path("board/stream", live.stream, name="board_stream"),
    path("sessions/<str:key>", session.page, name="session"),
    path("sessions/<str:key>/panel", session.panel, name="session_panel"),
    path("sessions/<str:key>/entries", session.entries, name="entries"),
    path("sessions/<str:key>/register", register.session_movement, name="session_movement"),
    path("sessions/<str:key>/sheet", session.sheet, name="sheet"),
    path("sessions/<str:key>/leaving", session.leaving, name="leaving"),
    path("duty", clinic.duty, name="duty"),
    path("register", register.page, name="register"),
    path("register/lots", register.new_lot, name="new_lot"),
    path("register/<str:key>", register.lot, name="lot"),
    path("settings", clinic.settings_page, name="settings"),
    path("staff", clinic.staff_page, name="staff"),
    path("staff/<int:pk>", clinic.staff_member, name="staff_member"),
    path("staff/<int:pk>/invite", clinic.invite, name="invite"),
    path("chairs", clinic.chairs, name="chairs"),
    path("log", clinic.log_page, name="log"),
]
handler403 = "regrow.clinic.views.home.forbidden"
handler404 = "regrow.clinic.views.home.not_found"
