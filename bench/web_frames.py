"""Whole pages around a text, as the generators of six families of sites lay them out, furniture included."""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable

FURNITURE = [
    "Skip to the main navigation menu", "Subscribe to our weekly newsletter", "Accept all cookies and continue",
    "Privacy policy and terms of service", "Sign in to leave your comment", "Hot network questions of today",
    "Recent posts from this author", "Share this page with your friends", "Powered by a fine content system",
    "Twelve people found this helpful", "Browse the other categories here",
]  # fmt: skip
"""What every frame puts outside the text, and no extraction should keep."""


def _links(names: list[str]) -> str:
    return "".join(f'<li><a href="/{i}">{name}</a></li>' for i, name in enumerate(names))


def _wiki(text: str, head: str) -> str:
    f = FURNITURE
    return (
        f'<!DOCTYPE html><html class="client-nojs" lang="en"><head><meta charset="UTF-8"><title>Topic - Encyclopaedia</title><meta name="generator" content="MediaWiki 1.41">{head}</head>'
        f'<body class="mediawiki ltr"><div id="mw-page-base" class="noprint"></div><div id="content" class="mw-body" role="main"><h1 id="firstHeading">Topic</h1><a class="mw-jump-link" href="#mw-head">{f[0]}</a>'
        f'<div id="mw-content-text" class="mw-body-content"><div class="mw-parser-output"><div id="toc" class="toc" role="navigation"><ul><li class="toclevel-1"><a href="#A">{f[10]}</a></li></ul></div>'
        f'<h2><span class="mw-headline" id="A">A section</span><span class="mw-editsection">[<a>edit</a>]</span></h2>{text}'
        f'<div class="navbox"><ul>{_links(f[5:8])}</ul></div></div></div><div id="catlinks" class="catlinks"><ul>{_links([f[9]])}</ul></div></div>'
        f'<div id="mw-navigation"><div id="mw-panel"><ul>{_links([f[1], f[4]])}</ul></div></div><footer id="footer" role="contentinfo"><ul>{_links([f[3], f[8]])}</ul><p>{f[2]}</p></footer></body></html>'
    )


def _questions(text: str, head: str) -> str:
    f = FURNITURE
    half = text.find("</p>", len(text) // 2) + 4
    votes = '<div class="votecell post-layout--left"><div class="js-voting-container"><button aria-label="Up vote">up</button><div class="js-vote-count" itemprop="upvoteCount">37</div></div></div>'
    comments = f'<div class="post-layout--right"><div id="comments-1" class="comments js-comments-container"><ul class="comments-list"><li class="comment"><span class="comment-copy">{f[4]}</span></li></ul></div></div>'
    post = f'<div class="post-layout">{votes}<div class="postcell post-layout--right"><div class="s-prose js-post-body" itemprop="text">{{}}</div><div class="mt16"><div class="js-post-menu">{f[7]}</div></div></div>{comments}</div>'
    return (
        f'<!DOCTYPE html><html><head><title>A question - Mathematics</title>{head}</head><body class="question-page"><header class="s-topbar"><a>{f[0]}</a></header><div class="container"><div id="left-sidebar"><nav><ol>{_links([f[10]])}</ol></nav></div>'
        f'<div id="content"><div id="question-header"><h1><a>A question</a></h1></div><div id="mainbar"><div class="question" id="question">{post.format(text[:half])}</div><div id="answers"><div class="answer">{post.format(text[half:])}</div></div></div>'
        f'<div id="sidebar" role="complementary"><div id="hot-network-questions"><h4>{f[5]}</h4><ul>{_links([f[6]])}</ul></div></div></div></div><div class="js-consent-banner">{f[2]}</div><footer class="site-footer"><p>{f[3]}</p><p>{f[8]}</p><p>{f[1]}</p><p>{f[9]}</p></footer></body></html>'
    )


def _blog(text: str, head: str) -> str:
    f = FURNITURE
    return (
        f'<html lang="en"><head><title>Post | Blog</title>{head}</head><body class="post-template-default single"><a class="skip-link screen-reader-text" href="#content">{f[0]}</a><div id="page" class="site"><header id="masthead" class="site-header"><ul id="menu">{_links([f[10]])}</ul></header>'
        f'<div id="content"><main id="main"><article class="post"><header class="entry-header"><h1 class="entry-title">Post</h1></header><div class="entry-content">{text}<div class="sharedaddy sd-sharing-enabled"><h3>{f[7]}</h3></div></div></article>'
        f'<div id="comments" class="comments-area"><ol class="comment-list"><li><p>{f[9]}</p></li></ol><div id="respond"><form><p>{f[4]}</p></form></div></div></main><aside id="secondary" class="widget-area"><section class="widget"><h2>{f[6]}</h2><ul>{_links([f[5]])}</ul></section><p>{f[1]}</p></aside></div>'
        f'<footer class="site-footer"><p>{f[8]}</p><p>{f[3]}</p></footer></div><div id="cookie-law-info-bar"><p>{f[2]}</p></div></body></html>'
    )


def _docs(text: str, head: str) -> str:
    f = FURNITURE
    return (
        f'<!DOCTYPE html><html><head><title>Page - manual</title>{head}</head><body><div class="related" role="navigation"><ul>{_links([f[10], f[0]])}</ul></div><div class="document"><div class="documentwrapper"><div class="bodywrapper"><div class="body" role="main">'
        f'<section id="page"><h1>Page<a class="headerlink" href="#page">¶</a></h1>{text}</section></div></div></div><div class="sphinxsidebar" role="navigation"><ul>{_links(f[4:8])}</ul><div id="searchbox" role="search"><p>{f[1]}</p></div></div></div><div class="footer">{f[8]}. {f[3]}. {f[9]}</div><div class="cookie-notice">{f[2]}</div></body></html>'
    )


def _forum(text: str, head: str) -> str:
    f = FURNITURE
    half = text.find("</p>", len(text) // 2) + 4
    post = f'<article class="message message--post"><div class="message-cell message-cell--user"><div class="message-user"><h4 class="message-name">someone</h4></div></div><div class="message-cell message-cell--main"><div class="message-body"><div class="bbWrapper">{{}}</div></div><footer class="message-footer">{f[9]}</footer></div></article>'
    return (
        f'<!DOCTYPE html><html><head><title>Thread | Forum</title>{head}</head><body><header class="p-header"><ul>{_links([f[0], f[10]])}</ul></header><nav class="breadcrumb"><ul>{_links([f[6]])}</ul></nav><div class="p-body"><div class="p-body-main"><h1>Thread</h1>{post.format(text[:half])}{post.format(text[half:])}</div>'
        f'<div class="p-body-sidebar sidebar"><h3>{f[5]}</h3></div></div><div class="share-buttons">{f[7]}</div><form class="quick-reply"><p>{f[4]}</p></form><div class="notice--cookie">{f[2]}</div><footer class="p-footer"><ul>{_links([f[3], f[8], f[1]])}</ul></footer></body></html>'
    )


def _paper(text: str, head: str) -> str:
    f = FURNITURE
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>[0000.0000] Paper</title>{head}</head><body><nav class="ltx_page_navbar"><nav class="ltx_TOC"><ol class="ltx_toclist">{_links([f[0], f[10]])}</ol></nav></nav><div class="ltx_page_main"><div class="ltx_page_content"><article class="ltx_document"><h1 class="ltx_title ltx_title_document">Paper</h1>'
        f'<section class="ltx_section"><h2 class="ltx_title ltx_title_section"><span class="ltx_tag ltx_tag_section">1 </span>Introduction</h2><div class="ltx_para">{text}</div></section></article></div><footer class="ltx_page_footer"><div class="ar5iv-footer">{f[8]} {f[3]}</div></footer></div>'
        f'<div class="ar5iv-footer"><a class="ar5iv-nav-button">{f[6]}</a></div><div class="cookie-banner">{f[2]}</div></body></html>'
    )


FRAMES: dict[str, Callable[[str, str], str]] = {
    "wiki": _wiki, "questions": _questions, "blog": _blog, "docs": _docs, "forum": _forum, "paper": _paper,
}  # fmt: skip
